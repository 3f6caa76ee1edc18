"""How the HTML report looks, and the few lines that make it searchable. It is readable, and filtered, without these lines."""

from __future__ import annotations

import base64
import hashlib

__all__ = ["POLICY", "SCRIPT", "STYLE"]

STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2024;--soft:#5c6670;--line:#d8dde3;--card:#f6f8fa;--link:#0b57d0;
--pass:#1a7f37;--fail:#c4232b;--error:#8a2be2;--warn:#9a6700;--info:#0969da;--skip:#6e7781;
--run:#b7e3c0;--asleep:#a8c7fa;--going:#fde293;--reset:#e3e6ea;--bad:#f7b6b6;--in:#b3590a;--out:#1a7f37}
@media (prefers-color-scheme:dark){:root{--bg:#0f1318;--fg:#e4e8ec;--soft:#9aa5b1;--line:#30363d;--card:#171c22;
--link:#8ab4f8;--pass:#4ac26b;--fail:#ff7b72;--error:#d2a8ff;--warn:#e3b341;--info:#79c0ff;--skip:#8b949e;
--run:#1f5130;--asleep:#1f3f77;--going:#5f4a12;--reset:#2a3038;--bad:#6b2226;--in:#f0a35e;--out:#4ac26b}}
*{box-sizing:border-box}html{scroll-padding-top:1rem}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem;color:var(--fg);background:var(--bg);overflow-wrap:break-word}
a{color:var(--link)}h1{font-size:1.15rem;margin:0}h2{font-size:1.2rem;margin:2rem 0 .6rem}h3{font-size:1.05rem;margin:0}
.small,small{color:var(--soft);font-size:.87rem}code,pre{font-family:ui-monospace,monospace;font-size:.82rem}
.verdict{border:1px solid var(--line);border-left:.6rem solid var(--c);border-radius:.5rem;padding:.9rem 1.1rem;background:var(--card);margin:0 0 1rem}
.verdict .word{font-size:2.4rem;font-weight:800;line-height:1.1;color:var(--c)}.verdict p{margin:.3rem 0 0}
.PASS{--c:var(--pass)}.FAIL{--c:var(--fail)}.ERROR{--c:var(--error)}.WARN{--c:var(--warn)}.INFO{--c:var(--info)}.SKIP{--c:var(--skip)}
.badge{display:inline-block;color:var(--c);border:1px solid var(--c);border-radius:.4rem;padding:0 .4rem;font-weight:700;font-size:.8rem;white-space:nowrap}
a.badge{text-decoration:none}.story{border:1px solid var(--line);border-top:3px solid var(--c);border-radius:.5rem;padding:1rem;margin:0 0 1.2rem}
.story header{display:flex;gap:.6rem;align-items:baseline;flex-wrap:wrap}.both{display:grid;grid-template-columns:1fr 1fr;gap:.8rem;margin:.8rem 0}
.both div{background:var(--card);border-radius:.4rem;padding:.5rem .8rem}.what{display:block;font-size:.8rem;color:var(--soft)}
.observed{border-left:3px solid var(--c)}figure{margin:.8rem 0;overflow-x:auto}figcaption{color:var(--soft);font-size:.8rem}
summary{cursor:pointer;color:var(--link)}details{margin:.3rem 0}pre{overflow-x:auto;background:var(--card);padding:.6rem;border-radius:.4rem;margin:.3rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;margin:.3rem 0;font-size:.9rem}dt{color:var(--soft)}dd{margin:0;min-width:0}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);padding:.35rem .5rem;text-align:left;vertical-align:top}
tbody th{background:var(--card);font-size:.85rem}td:first-child{white-space:nowrap}tr:target{outline:2px solid var(--link)}
.filters{display:flex;flex-wrap:wrap;gap:.4rem .9rem;align-items:center;margin:.5rem 0}.filters label{white-space:nowrap}
.filters input[type=search]{display:none;flex:1 1 12rem;font:inherit;padding:.3rem .5rem;background:var(--bg);color:var(--fg);border:1px solid var(--line);border-radius:.4rem}
.js .filters input[type=search]{display:block}[hidden]{display:none!important}
body:has(#f-PASS:not(:checked)) tr.PASS,body:has(#f-FAIL:not(:checked)) tr.FAIL,body:has(#f-WARN:not(:checked)) tr.WARN,
body:has(#f-SKIP:not(:checked)) tr.SKIP,body:has(#f-INFO:not(:checked)) tr.INFO,body:has(#f-ERROR:not(:checked)) tr.ERROR,
body:has(#f-same:checked) tr.same{display:none}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:.8rem}.cards .verdict{margin:0}.cards .word{font-size:1.5rem}
.wide{overflow-x:auto}.bars rect{fill:var(--info)}.bars text,.timeline text{fill:var(--fg);font:11px system-ui,sans-serif}
.timeline{display:block;min-width:720px;width:100%;height:auto}.timeline .lane,.timeline .gap,.timeline .tick{fill:var(--soft)}
.timeline .tick,.timeline .gap{text-anchor:middle}.rail{stroke:var(--line)}.axis{stroke:var(--soft)}.lead{stroke:var(--soft);stroke-width:.5}
.break{stroke:var(--soft);fill:none}line.break{stroke-dasharray:1 5}.look{stroke:var(--info);stroke-dasharray:3 3}
.read,.reads{fill:var(--soft)}.write{fill:var(--fg)}.shown{fill:var(--warn)}.reads{opacity:.55}.reads.shown{opacity:1}
.available{fill:var(--in)}.used,.moved{fill:var(--out)}.transition,.host{fill:var(--info)}.delivered,.message{fill:var(--warn)}
path.wrong{stroke:var(--fail);stroke-width:3;fill:none}.label{font-weight:600!important}.label.wrong{fill:var(--fail)!important}
.state{fill:var(--reset)}.state.running{fill:var(--run)}.state.suspended{fill:var(--asleep)}.state.suspending{fill:var(--going)}.state.needs-reset{fill:var(--bad)}
@media (max-width:40rem){figure{direction:rtl}figure>*{direction:ltr}body{padding:.7rem}.both{grid-template-columns:1fr}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.35rem}
.one thead{display:none}.one tr{display:grid;grid-template-columns:auto auto 1fr;border-bottom:1px solid var(--line);padding:.3rem 0}
.one td{border:0;padding:.15rem .4rem}.one td.text{grid-column:1/-1}.verdict .word{font-size:2rem}}
@media print{.filters{display:none}details{break-inside:avoid}}
"""

SCRIPT = """
(() => {
  document.documentElement.classList.add("js");
  const find = document.querySelector("#find"), rows = [...document.querySelectorAll("#matrix tbody tr[id]")];
  find?.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\\s+/);
    for (const row of rows) row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
  });
  document.addEventListener("keydown", event => {
    if (event.key === "/" && document.activeElement !== find) { event.preventDefault(); find?.focus(); }
  });
})();
"""

_DIGEST = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()

#: Nothing is fetched, and no other script than ours runs, whatever a device or a file said.
POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
)
