/** One word of a POSIX shell, whatever is in it. */
export const shellWord = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
