"""The looks of the report."""

from __future__ import annotations

STYLE = """
:root { --ink: #1b2333; --faint: #667085; --line: #e3e7ee; --panel: #f6f7fa; --accent: #2f6fde;
  --bad: #c22f2f; --good: #14804a; --warm: #d98a1c; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1124px; margin: 0 auto; padding: 32px 32px 64px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 44px 0 6px; }
h3 { font-size: 15px; margin: 22px 0 6px; }
p { margin: 6px 0 12px; max-width: 78ch; }
.faint, .note { color: var(--faint); }
.note { font-size: 13px; }
.verdict { font-size: 17px; margin: 18px 0; padding: 12px 16px; max-width: none;
  border-left: 4px solid var(--accent); background: var(--panel); }
.verdict.worse { border-color: var(--bad); }
.verdict.better { border-color: var(--good); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(118px, 1fr)); gap: 12px; }
.card { background: var(--panel); border-radius: 8px; padding: 10px 14px; }
.card b { display: block; font-size: 25px; font-weight: 650; line-height: 1.25; }
.card span { color: var(--faint); font-size: 13px; }
.card i { font-style: normal; font-size: 13px; font-weight: 600; }
.better { color: var(--good); } .worse { color: var(--bad); } .same { color: var(--faint); }
.verdict.better, .verdict.worse { color: var(--ink); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th { text-align: left; font-weight: 550; } thead th { color: var(--faint); font-size: 13px; }
td, thead th + th { text-align: right; }
th, td { padding: 5px 9px; border-bottom: 1px solid var(--line); }
table.figures { width: 100%; }
table.figures tbody th { white-space: nowrap; }
table.figures td { width: 6.4%; padding: 5px 7px; }
tr.sum th, tr.sum td { background-color: var(--panel); }
td.share { background-image: linear-gradient(#dbe7fc, #dbe7fc); background-repeat: no-repeat;
  background-size: var(--filled) 100%; border-left: 3px solid #fff; }
tr.sum td.share { border-left-color: var(--panel); }
td.none { color: #b6bdca; }
.beside { display: flex; flex-wrap: wrap; gap: 12px 44px; align-items: flex-start; }
.beside h3 { margin-top: 5px; }
table.pairs td { text-align: left; overflow-wrap: anywhere; }
table.pairs th { color: var(--faint); font-weight: 400; white-space: nowrap; vertical-align: top; }
svg { display: block; width: 100%; height: auto; font-family: inherit; margin: 8px 0; }
svg text { font-size: 11px; fill: var(--faint); }
svg .row { font-size: 12px; fill: var(--ink); } svg .count { fill: var(--bad); }
svg .on-dark { fill: #fff; font-size: 10px; } svg .on-light { fill: #111; font-size: 10px; }
svg .grid { stroke: var(--line); } svg .axis { stroke: var(--faint); }
svg .missed { fill: #c9ced8; } svg .false { fill: var(--warm); }
svg .switch { stroke: var(--bad); stroke-width: 1.6; } svg .switch-mark { fill: var(--bad); }
svg .on-time { fill: var(--accent); } svg .late { fill: var(--warm); }
svg .lost { fill: var(--bad); }
svg circle { fill-opacity: .65; }
svg .deadline { stroke: var(--warm); stroke-dasharray: 5 4; }
.legend { font-size: 13px; color: var(--faint); }
.legend em { display: inline-block; width: 22px; height: 10px; margin: 0 5px 0 14px;
  border-radius: 2px; }
.legend em:first-child { margin-left: 0; }
.events { display: grid; grid-template-columns: repeat(auto-fill, minmax(500px, 1fr)); gap: 18px; }
.event { background: var(--panel); border-radius: 8px; padding: 10px 12px 12px; }
.event header { font-size: 14px; margin-bottom: 6px; } .event header span { color: var(--faint); }
.strip { display: flex; gap: 8px; }
figure { margin: 0; flex: 1 1 0; max-width: 300px; }
figure img { width: 100%; display: block; border-radius: 4px; background: #ddd; }
figcaption { font-size: 12px; color: var(--faint); margin-top: 3px; }
details { margin: 10px 0; } summary { cursor: pointer; font-weight: 550; }
ul { padding-left: 20px; margin: 6px 0; }
@media print { main { max-width: none; padding: 0; } .event, .card { break-inside: avoid; } }
"""
