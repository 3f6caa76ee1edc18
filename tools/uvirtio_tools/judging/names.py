"""What is done, read and listened to is called in a history: scenarios write these names, and statements ask for them.

They are part of the file format of histories.
"""

from __future__ import annotations

__all__ = [
    "ABSENT", "ACCEPTED", "AFTER", "AFTERWARDS", "AFTER_EMERGENCY", "AFTER_EMPTY", "AFTER_EVENT", "AGAIN", "ANSWER", "AROUND", "ASLEEP", "BEFORE", "BEFORE_EVENT", "CHANGE", "CHANGED", "CLEARED", "CONFIGURATION_ASLEEP", "CONFIGURATION_BEFORE", "CONTROL", "CONTROL_BIT", "CYCLE", "DISCARD_FLAG", "DRIVER_FEATURE", "EARLY", "EMERGENCY", "EMPTY", "ENABLE", "ENABLED", "FIELD", "FIELD_READ", "FINISHED", "FORCED", "FRESHLY", "GENERATION", "HALVES", "HEADS", "HOW", "IN_RESET", "ISR_SEEN", "KICKED", "LAP", "LAYOUT", "LEFT", "LINE_STATUS", "MAC", "MASKED_MESSAGES", "MASTERING", "MESSAGES_OF_CHANGES", "MESSAGES_OF_MOVED", "MESSAGES_OF_QUEUES", "MESSAGES_OF_RESET", "MSIX", "NEEDS_RESET", "NOT_MASKED", "NO_RESET", "NO_SUCH_VECTOR", "ODD", "OFFER", "ON_THE_LINE", "ON_THE_WAY_BIT", "ORDEAL", "ORDEAL_ASLEEP", "OUTSTANDING", "PAGE", "PENDING", "PLAN", "POKED", "PROVES", "QUERY", "QUEUE_AGAIN", "QUEUE_RESET", "QUIET", "READ_ONLY", "REFUSED", "REFUSED_LATER", "RESET", "RESETTING", "RESUMED", "RESUMED_BIT", "SECOND", "SECOND_STATUS", "SET", "SETTLED", "SET_UP_AFTER", "SET_UP_BEFORE", "SHORTEST", "SHOWS", "SIZE", "STARTING", "STRESS", "SUM", "SUSPENDED", "THEN", "TOLD", "TOLD_AGAIN", "TRIGGER", "UNCHANGED", "UNMAP", "UNSTABLE", "UNTOLD", "UNWANTED", "USED_SEEN", "VALUE", "VECTOR", "VECTOR_RESET", "WAITED", "WANTED", "WINDOW", "WINDOW_WRITE", "WOKEN", "WORKING", "WRITEBACK", "WRITTEN", "WRONG", "WRITTEN_ASLEEP", "ZEROES", "ZEROES_FLAG", "ZONE",
]  # fmt: skip

# -- traffic, and what is waited for
STARTING = "starting the device"
CONTROL = "traffic on the running device"
AFTER = "traffic after resume"
ODD = "traffic after an odd SUSPEND"
BEFORE = "a request before the suspend"
WOKEN = "a request after the resume"
WAITED = "buffers that had waited over the suspend"
AROUND = "buffers used around the suspend"
OUTSTANDING = "waiting for what was outstanding at the suspend"

# -- suspends
QUIET = "leaves buffers alone that it was not notified of"
MASTERING = "bus mastering"
LEFT = "left without a notification"
CONFIGURATION_BEFORE = "configuration before the suspend"
SET_UP_BEFORE = "what was set up, before the suspend"
SET_UP_AFTER = "what was set up, after the resume"
CONFIGURATION_ASLEEP = "configuration in the suspend"

# -- the configuration: written while suspended, changed by the host side
FIELD = "field"
VALUE = "its value before"
WRITTEN = "value written while suspended"
ASLEEP = "its value while suspended"
AFTERWARDS = "its value after the resume"
TRIGGER = "trigger"
SHOWS = "the change of the control shows"
SETTLED = "settled configuration"
SUSPENDED = "configuration while suspended"
CHANGED = "configuration after the trigger"
RESUMED = "configuration after the resume"
GENERATION = "config_generation"
UNSTABLE = "configuration that never holds still"
CONTROL_BIT = "the change of the control"
ON_THE_WAY_BIT = "a change between the SUSPEND write and the suspend"
RESUMED_BIT = "a change while suspended"

# -- before the device is initialised
POKED = "status after SUSPEND was written "
FINISHED = "traffic after an initialisation with SUSPEND at every stage"
EARLY = "the buffers that were published before DRIVER_OK"

# -- resets, failures, odd writes
RESET = "seconds of the reset"
NO_RESET = "status after the reset was waited for"
ENABLED = "queue_enable after the reset of queue "
DRIVER_FEATURE = "driver_feature after the reset"
ACCEPTED = "accepted features"
AGAIN = "initialising again after the reset"
WRITTEN_ASLEEP = "status after FAILED was written while suspended"
SECOND = "byte of the second SUSPEND"
SECOND_STATUS = "status after the second SUSPEND"
RESETTING = "seconds of queue_reset"
IN_RESET = "queue_reset"
ENABLE = "queue_enable"
THEN = "status after the queue reset"
HOW = "how the device failed"
NEEDS_RESET = "status that first shows DEVICE_NEEDS_RESET"
TOLD = "the failure"

# -- configuration space and registers
LAYOUT = "layout of configuration space"
WINDOW = "through the window and in the BAR: "
WINDOW_WRITE = "written through the window, then read: "
VECTOR = "mapped and read: "
NO_SUCH_VECTOR = "mapped to no vector and read: "
VECTOR_RESET = "vector after the reset: "
MESSAGES_OF_QUEUES = "vectors: mapped, expected, seen, all; whether a buffer was used"
MESSAGES_OF_CHANGES = "vectors: mapped, expected, seen, all; whether a change showed, and ISR with it"
MESSAGES_OF_MOVED = "vectors after the configuration was mapped anew: mapped, expected, seen, all; whether a change showed, and ISR with it"
MESSAGES_OF_RESET = (
    "vectors after a queue was reset and mapped anew: mapped, expected, seen, all; whether a buffer was used"
)
NOT_MASKED = "vectors are not masked, since messages are seen by"
MASKED_MESSAGES = "whether a buffer was used; messages while masked, pending bits, messages then"
PAGE = "feature page"
ABSENT = "queue that is not there"
SIZE = "size of queue "
SET = "set of features"
REFUSED = "set that is not offered"
FIELD_READ = "configuration field "
HALVES = "halves of "
CLEARED = "after a reset of the running device: "

# -- queues and notifications
ON_THE_LINE = "a request on a device whose ISR nobody reads"
LAP = "traffic on the running device, once more"
EMPTY = "notifications of nothing, for each queue"
AFTER_EMPTY = "traffic after notifications of nothing"
QUEUE_RESET = "queue, its queue_reset and queue_enable after its reset"
QUEUE_AGAIN = "traffic on a queue that was reset"
WANTED = "a request whose notification is wanted"
UNWANTED = "a request whose notification is not wanted"
LINE_STATUS = "Interrupt Status, ISR, and both again"
CHANGE = "a change of the configuration while running"

# -- types of devices
ANSWER = "answer to "
READ_ONLY = "a write to a read-only disk"
UNCHANGED = "the sector is as it was"
ZEROES_FLAG = "write zeroes with flag 2"
DISCARD_FLAG = "a discard with flag 2"
UNMAP = "a discard with unmap"
ZONE = "a zone request"
WRITEBACK = "writeback with FLUSH and without"
ZEROES = "bytes other than 0 after zeroes were written"
HEADS = "flags, gso_type and num_buffers of received frames"
MAC = "address that was set, and mac"
EMERGENCY = "status after an emergency write"
AFTER_EMERGENCY = "traffic after emergency writes"
QUERY = "query, size of the name, size of its answer"

# -- in the end
OFFER = "what the device offers"
ISR_SEEN = "what ISR has shown in this run"
USED_SEEN = "reads of ISR that have shown bit 0 in this run"

# -- stress
STRESS = "suspend at random points"
SUM = "cycles and seed"
PLAN = "plan"
PROVES = "what the workload proves"
SHORTEST = "shortest sequence that fails"
CYCLE = "a cycle of the stress"
REFUSED_LATER = "refused after good cycles"

# -- events of the host
ORDEAL = "an event of the host under load"
ORDEAL_ASLEEP = "an event of the host while suspended"
BEFORE_EVENT = "before the event"
AFTER_EVENT = "after the event"
UNTOLD = "without a kick"
KICKED = "after a kick"
FRESHLY = "after a fresh request"
FORCED = "after a notification that was not asked for"
TOLD_AGAIN = "a request after the event"
PENDING = "the notification that was pending at the event"
WORKING = "traffic after the event"
WRONG = "when something was wrong"
MSIX = "MSI-X control and table"
