/** One setting of a git configuration file. Section and name are lower-case, as they compare. */
export interface GitSetting {
  readonly section: string;
  /** As in `[remote "origin"]`; empty where there is none. */
  readonly subsection: string;
  readonly name: string;
  readonly value: string;
}

const head = /^[ \t]*\[[ \t]*([A-Za-z0-9-]+)(?:\.([^\]\s]+)|[ \t]+"((?:[^"\\]|\\.)*)")?[ \t]*\]/;
const named = /^[ \t]*([A-Za-z][A-Za-z0-9-]*)[ \t]*(=?)/;

/**
 * The text of a git configuration file in which each setting has the value that `settle` answers with, or is left out
 * where that is undefined. All else stays as it is written.
 */
export function editedConfig(text: string, settle: (setting: GitSetting) => string | undefined): string {
  let [section, subsection] = ['', ''];
  const lines = logicalLines(text).map(line => {
    const [start = '', words = '', dotted = '', quoted = ''] = head.exec(line) ?? [];
    if (start) [section, subsection] = [words.toLowerCase(), dotted.toLowerCase() || quoted.replace(/\\(.)/g, '$1')];
    const rest = line.slice(start.length);
    const [prefix, name, equals] = named.exec(rest) ?? [];
    if (prefix === undefined || name === undefined) return line;
    const value = equals ? readValue(rest.slice(prefix.length)) : 'true';
    const settled = settle({ section, subsection, name: name.toLowerCase(), value });
    if (settled === value) return line;
    if (settled === undefined) return start && `${start}\n`;
    return `${start && `${start}\n`}\t${name} = "${settled.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"\n`;
  });
  return lines.join('');
}

/** Lines with their ends; one that a backslash goes on with is one with the next. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let open = '';
  for (const line of text.split(/(?<=\n)/)) {
    open += line;
    const written = line.endsWith('\r\n') ? line.slice(0, -2) : line.slice(0, -1);
    let slashes = 0;
    while (written.at(-1 - slashes) === '\\') slashes++;
    if (line.endsWith('\n') && slashes % 2 === 1 && !/^[ \t]*[#;]/.test(open)) continue;
    lines.push(open);
    open = '';
  }
  return open ? [...lines, open] : lines;
}

/** What git takes it for: without quotes, comments and the blanks around it. */
function readValue(raw: string): string {
  let value = '';
  /** How much of it no trailing blank is. */
  let solid = 0;
  let quoted = false;
  const text = raw.trimStart();
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? '';
    if (letter === '"') quoted = !quoted;
    else if (!quoted && (letter === '#' || letter === ';')) break;
    else if (letter === '\n') continue;
    else if (letter === '\\') {
      const next = text[++at] ?? '';
      if (next === '\r' || next === '\n') continue;
      value += { n: '\n', t: '\t', b: '\b' }[next] ?? next;
      solid = value.length;
      continue;
    } else value += letter;
    if (quoted || !/\s/.test(letter)) solid = value.length;
  }
  return value.slice(0, solid);
}
