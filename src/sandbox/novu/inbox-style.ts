/** The look of the inbox page, in light and dark. */
export const style = `
:root { color-scheme: light dark; --line: #d7dce2; --soft: #5b6672; --paper: #ffffff; --back: #f3f5f7; --ink: #16202a }
@media (prefers-color-scheme: dark) { :root { --line: #303a45; --soft: #9aa7b4; --paper: #18212b; --back: #0f161d; --ink: #e6ecf2 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
header, main { max-width: 860px; margin: 0 auto; padding: 0 20px }
h1 { margin: 0; padding-top: 28px; font-size: 26px }
header p { margin: 2px 0 14px; color: var(--soft) }
form { display: flex; flex-wrap: wrap; gap: 10px 16px; align-items: center; margin-bottom: 20px }
label { max-width: 100% }
select { max-width: 100% }
select, button { font: inherit; padding: 4px 10px; border: 1px solid var(--line); border-radius: 6px; background: var(--paper); color: inherit }
article { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px; margin-bottom: 14px }
.line { overflow-wrap: anywhere; display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline; font-size: 13px }
.about, time { color: var(--soft) }
time { margin-left: auto; font-variant-numeric: tabular-nums }
.who { padding: 0 8px; border-radius: 9px; font-size: 12px; color: #ffffff }
.guest { background: #1f6f8b } .expert { background: #4a6b2a } .operator { background: #8a4b1f }
h2 { margin: 8px 0 6px; font-size: 17px; overflow-wrap: anywhere }
article > pre { margin: 0; font: inherit; white-space: pre-wrap; overflow-wrap: anywhere }
details { margin-top: 10px; font-size: 13px; color: var(--soft); overflow-wrap: anywhere }
@media (max-width: 480px) { header, main { padding: 0 12px } article { padding: 12px } time { margin-left: 0 } label, select { width: 100% } }
summary { cursor: pointer }
.payload { overflow-x: auto; font: 12px/1.45 ui-monospace, monospace }
.none { color: var(--soft) }
`
