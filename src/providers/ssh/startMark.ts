/** The line that tells that a script was reached. */
export const markLine = 'remote-swarm begins';
const mark = `${markLine}\n`;

/** Begins a script whose streams are read as they are: start files of the host's user may have printed something before. */
export const sayMark = `echo '${markLine}'; echo '${markLine}' >&2; `;

/** Whether the script was reached. */
export const hasMark = (said: string) => said.includes(mark);

/** What came after the mark; all of it when there is none, as when the script was not reached. */
export function afterMark(said: string): string {
  const at = said.indexOf(mark);
  return at < 0 ? said : said.slice(at + mark.length);
}

/** The same of chunks, one after the other. */
export function chunksAfterMark(): (chunk: Buffer) => Buffer[] {
  let waiting: Buffer | undefined = Buffer.alloc(0);
  return chunk => {
    if (!waiting) return [chunk];
    waiting = Buffer.concat([waiting, chunk]);
    const at = waiting.indexOf(mark);
    if (at < 0) {
      // Only its end may hold a part of the mark.
      waiting = waiting.subarray(-mark.length);
      return [];
    }
    const rest = waiting.subarray(at + mark.length);
    waiting = undefined;
    return rest.length > 0 ? [rest] : [];
  };
}
