/** What no shell takes for anything but itself between single quotes, nor `printf` in what it prints. */
const plain = /[\w ,./:;=@+-]/;
/** Characters of a word: some shells have little room for one. */
const longestWord = 500;

/**
 * Pure: a command line for a login shell, whichever that is, that has `/bin/sh` run the script. Between the quotes of csh a
 * line can't end and `!` means something, in fish `\` does, and old shells lose the eighth bit.
 */
export function forAnyShell(script: string): string {
  const words = [''];
  for (const byte of Buffer.from(script)) {
    const character = String.fromCharCode(byte);
    const written = plain.test(character) ? character : `\\0${byte.toString(8).padStart(3, '0')}`;
    if ((words.at(-1) ?? '').length + written.length > longestWord) words.push('');
    words[words.length - 1] += written;
  }
  return `exec /bin/sh -c 'eval "$(printf %b "$@")"' sh ${words.map(word => `'${word}'`).join(' ')}`;
}
