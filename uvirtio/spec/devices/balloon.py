"""Traditional memory balloon device (virtio 1.4, 5.5)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

MUST_TELL_HOST, STATS_VQ, DEFLATE_ON_OOM, FREE_PAGE_HINT, PAGE_POISON, PAGE_REPORTING = 0, 1, 2, 3, 4, 5

SPEC = DeviceSpec(
    number=5,
    title="memory balloon (traditional)",
    section="5.5",
    features=(
        FeatureBit(
            MUST_TELL_HOST, "BALLOON_F_MUST_TELL_HOST", "Pages are asked back from the device before they are used."
        ),
        FeatureBit(STATS_VQ, "BALLOON_F_STATS_VQ", "There is a queue for the guest's memory statistics."),
        FeatureBit(DEFLATE_ON_OOM, "BALLOON_F_DEFLATE_ON_OOM", "A guest out of memory takes pages back by itself."),
        FeatureBit(FREE_PAGE_HINT, "BALLOON_F_FREE_PAGE_HINT", "There is a queue for hints at free pages."),
        FeatureBit(PAGE_POISON, "BALLOON_F_PAGE_POISON", "The driver fills pages that it takes back with poison_val."),
        FeatureBit(PAGE_REPORTING, "BALLOON_F_PAGE_REPORTING", "There is a queue on which free pages are reported."),
    ),
    fields=(
        Field("num_pages", 0, 4, unit="4096-byte pages"),
        Field("actual", 4, 4, unit="4096-byte pages", writable=True),
        Field("free_page_hint_cmd_id", 8, 4, features=(FREE_PAGE_HINT,), values=((0, "stop"), (1, "done"))),
        Field("poison_val", 12, 4, writable=True, features=(PAGE_POISON,), kind="hex"),
    ),
    queues=(
        QueueName("inflateq", 0, answered=True),
        QueueName("deflateq", 1, answered=True),
        QueueName("statsq", 2, answered=False, features=(STATS_VQ,)),
        QueueName("free_page_vq", 3, answered=True, features=(FREE_PAGE_HINT,)),
        QueueName("reporting_vq", 4, answered=True, features=(PAGE_REPORTING,)),
    ),
)
