// The style sheet of report pages. Colours of groups: Okabe and Ito's, which people with any colour vision tell apart;
// their yellow is darkened so that it stands out from white.
#include "provenance/report/page_parts.hpp"

namespace hm::provenance::report {
std::string_view page_style() {
  return R"css(
:root{color-scheme:light dark;--ground:#fff;--panel:#f6f7f9;--ink:#16191d;--soft:#5b6470;--line:#dfe3e8;--track:#e9ecf0;
--edge:#9aa4b0;--accent:#0b62a8;--problem:#b3261e;--warning:#8a5a00;--note:#47606f;--problem-ground:#fdecea;--warning-ground:#fff4dc;
--note-ground:#eaf1f5;
--c0:#0072b2;--c1:#e69f00;--c2:#009e73;--c3:#d55e00;--c4:#cc79a7;--c5:#56b4e9;--c6:#a89600;--c7:#9aa1ab}
@media (prefers-color-scheme:dark){:root{--ground:#14171b;--panel:#1c2026;--ink:#e9ecf0;--soft:#9ea8b4;--line:#2f353d;--track:#262b32;
--edge:#5f6a77;--accent:#6db6f2;--problem:#ff8a80;--warning:#f2bd57;--note:#9dbdcf;--problem-ground:#3a1d1c;--warning-ground:#352a14;
--note-ground:#1d2a33;
--c0:#3d9bdb;--c1:#e8a920;--c2:#1fb98d;--c3:#ee7a33;--c4:#d995ba;--c5:#7cc8f4;--c6:#d3c33a;--c7:#7d8693}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
main,header,footer{max-width:1080px;margin:0 auto;padding:0 28px}
header{padding-top:52px}
.kicker{margin:0;color:var(--soft);font-size:13px;letter-spacing:.06em;text-transform:uppercase}
h1{margin:.25em 0 .9em;font-size:20px;line-height:1.3;font-weight:600}
.answer{margin:0;font-size:clamp(22px,3.6vw,34px);line-height:1.24;font-weight:600;letter-spacing:-.012em;max-width:30em;text-wrap:balance}
.answer.long{font-size:clamp(19px,2.5vw,25px);max-width:42em}
.answer+.rest{margin-top:18px}
.rest{max-width:68ch;color:var(--soft);font-size:17px}
.rest p{margin:.35em 0}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:32px 0 0;padding:0;list-style:none}
.tiles li{flex:1 1 88px;max-width:334px;padding:14px 18px;border-radius:10px;background:var(--panel)}
.tiles b{display:block;font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums}
.tiles span{color:var(--soft);font-size:14px}
.tiles .problem{background:var(--problem-ground)}.tiles .problem b{color:var(--problem)}
.tiles .warning{background:var(--warning-ground)}.tiles .warning b{color:var(--warning)}
.tiles .note{background:var(--note-ground)}.tiles .note b{color:var(--note)}
section{margin-top:60px}
h2{margin:0 0 18px;font-size:22px;letter-spacing:-.01em}
h3{margin:0 0 6px;font-size:17px}
h4{margin:0 0 10px;font-size:14px;font-weight:500;color:var(--soft);line-height:1.4}
code,.mono{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
summary{cursor:pointer}
.rule{border-top:1px solid var(--line);content-visibility:auto;contain-intrinsic-size:auto 52px}
.rule:last-of-type{border-bottom:1px solid var(--line)}
.rule>summary{display:flex;gap:4px 12px;align-items:baseline;padding:13px 2px;list-style:none}
.rule>summary::-webkit-details-marker{display:none}
.rule>summary::after{content:"+";margin-left:auto;color:var(--soft);font-size:19px;line-height:1}
.rule[open]>summary::after{content:"\2212"}
.rule>summary b{font-weight:600}
.rule>summary .count{color:var(--soft);font-variant-numeric:tabular-nums}
.pill{flex:none;padding:1px 10px 2px;border-radius:99px;font-size:13px;font-weight:600}
.pill.problem{color:var(--problem);background:var(--problem-ground)}
.pill.warning{color:var(--warning);background:var(--warning-ground)}
.pill.note{color:var(--note);background:var(--note-ground)}
.findings{margin:0 0 18px;padding:0;list-style:none}
.findings>li{padding:9px 0 9px 16px;border-left:3px solid var(--line);margin:0 0 6px;content-visibility:auto;contain-intrinsic-size:auto 62px}
.findings .problem{border-color:var(--problem)}.findings .warning{border-color:var(--warning)}.findings .note{border-color:var(--note)}
.findings b{font-weight:600}
.findings p{margin:0}
.hops{margin:8px 0 2px;padding:0;list-style:none;font-size:14px;color:var(--soft)}
.hops li{position:relative;padding:2px 0 2px 20px}
.hops li::before{content:"";position:absolute;left:4px;top:.72em;width:7px;height:7px;border-radius:50%;background:var(--edge)}
.hops li:not(:last-child)::after{content:"";position:absolute;left:7px;top:1.2em;bottom:-.6em;width:1px;background:var(--edge)}
figure{margin:0 0 44px}
figcaption{margin-top:10px;color:var(--soft);font-size:14px;max-width:76ch}
.scroll{overflow:auto;max-width:100%}
.graph .scroll{border:1px solid var(--line);border-radius:12px;padding:8px}
.graph svg{display:block;width:100%;height:auto;margin:0 auto}
.legend svg{display:inline;width:auto;margin:0}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:4px 0 14px;padding:0;list-style:none;font-size:14px}
.legend li{display:flex;align-items:center;gap:7px;min-width:0}
.legend svg{flex:none}
.legend span{color:var(--soft);font-variant-numeric:tabular-nums}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;fill:var(--ink)}
svg .owner{font-size:11px;fill:var(--soft)}
.e{fill:none;stroke:var(--edge);stroke-width:1.3}
.e.weak{stroke-dasharray:5 4}
.e.aside{opacity:.38;stroke-width:1}
.e:hover{stroke:var(--accent);stroke-width:2.4;opacity:1}
.box{fill:var(--ground);stroke:var(--line);stroke-width:1.2}
.n:hover .box{stroke:var(--accent)}
.n.subject .box{stroke:var(--ink);stroke-width:2.2}
.n.subject text,.label.subject{font-weight:700}
.head{stroke:var(--ground);stroke-width:1.5}
.head.subject{stroke:var(--ink);stroke-width:3}
.ground{fill:var(--ground)}
circle:hover{stroke:var(--ink);stroke-width:2}
.label{paint-order:stroke;stroke:var(--ground);stroke-width:4px;stroke-linejoin:round;pointer-events:none}
.c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}
.c7{fill:var(--c7)}
.track{fill:var(--track)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:28px 44px;margin:16px 0 8px}
.charts figure{margin:0}
.strip{display:block;width:100%;height:20px;border-radius:5px;margin:0 0 14px}
.strip rect{stroke:var(--ground);stroke-width:1;vector-effect:non-scaling-stroke}
.charts figure:only-child{max-width:760px}
.bars ul{margin:0;padding:0;list-style:none;display:grid;grid-template-columns:fit-content(42%) 1fr max-content;column-gap:14px}
.bars li{display:grid;grid-column:1/-1;grid-template-columns:subgrid;align-items:center;padding:3px 0;font-size:14px;line-height:1.35}
.bars li svg{width:100%;height:10px;border-radius:3px}
.bars li b{text-align:right;font-weight:600;font-variant-numeric:tabular-nums}
.table{margin-bottom:44px}
.over{margin:0 0 4px;color:var(--soft);font-size:14px}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;min-width:100%}
th{font-weight:500;color:var(--soft);text-align:left;vertical-align:bottom;border-bottom:1px solid var(--ink)}
th,td{padding:6px 18px 6px 0;overflow-wrap:normal}
td{border-bottom:1px solid var(--line);vertical-align:top}
td.key{overflow-wrap:anywhere;min-width:9em}
.figure{text-align:right}
th.figure,td.figure{padding:6px 0 6px 18px}
tr:hover td{background:var(--panel)}
.more{margin:10px 0;font-size:14px}
.more>summary{color:var(--accent)}
dl{margin:8px 0;display:grid;grid-template-columns:minmax(8em,max-content) 1fr;gap:4px 18px;font-size:14px}
dt{color:var(--soft)}dd{margin:0}
.edges{columns:2 380px;column-gap:36px;padding-left:1.1em;font-size:13px}
.edges span{color:var(--soft)}
.coverage{list-style:none;margin:0;padding:0}
.coverage li{padding:10px 0;border-top:1px solid var(--line)}
.coverage .row{display:grid;grid-template-columns:minmax(9em,30%) 1fr 12em;gap:16px;align-items:center}
.coverage svg{width:100%;height:10px;border-radius:3px}
.coverage .row span{color:var(--soft);font-size:14px;text-align:right;font-variant-numeric:tabular-nums}
.coverage p{margin:4px 0 0;color:var(--soft);font-size:14px}
footer{margin-top:72px;padding-top:20px;padding-bottom:52px;color:var(--soft);font-size:13px}
footer dl{font-size:13px}
@media (max-width:620px){main,header,footer{padding-left:18px;padding-right:18px}header{padding-top:32px}section{margin-top:44px}
.bars ul{display:block}.bars li{grid-template-columns:1fr 4.4em;column-gap:14px}.bars li bdi{grid-column:1/-1}.bars li svg{grid-row:2}
.coverage .row{grid-template-columns:1fr auto}.coverage .row svg{grid-column:1/-1;grid-row:2}dl{grid-template-columns:1fr}dd{margin-bottom:8px}}
@media print{:root{--ground:#fff;--panel:#f6f7f9;--ink:#000;--soft:#444;--line:#ccc;--track:#eee}body{font-size:10.5pt}
main,header,footer{max-width:none;padding:0}header{padding-top:0}
.answer{font-size:18pt}section{margin-top:26pt}figure,.findings>li{break-inside:avoid}h2,h3{break-after:avoid}
.graph .scroll{border:0;padding:0;overflow:visible}.graph svg{min-width:0!important}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact;content-visibility:visible}
details::details-content{content-visibility:visible;display:block;height:auto}.rule>summary::after{content:""!important}}
)css";
}
}  // namespace hm::provenance::report
