/** Shorter ones are part of too much else. */
export const shortestForm = 4;
/** Longer ones are known by their pieces, which masked beside each other are one. */
export const longestForm = 1024;
/** Of longer ones nothing but the value itself. */
const mostWritten = longestForm;

/** What a secret value can look like in a text. Empty when it is too short to be told from anything else. */
export function formsOf(value: string): string[] {
  const lines = [value, ...value.split(/[\r\n]+/)].map(line => line.trim());
  const forms = [...lines, value].flatMap(line =>
    line.trim().length < shortestForm
      ? []
      : [line, ...(line.length > mostWritten ? [] : [...escaped(line), ...encoded(line)])],
  );
  // A text is looked at line by line; what has several is known by each.
  const known = forms.filter(form => form.length >= shortestForm && !/[\r\n]/.test(form));
  return [...new Set(known.flatMap(pieces))];
}

const pieces = (form: string) => {
  const cuts: string[] = [];
  for (let from = 0; from < form.length; from += longestForm) cuts.push(form.slice(from, from + longestForm));
  // A short rest would be found everywhere.
  return cuts.length > 1 ? [...cuts.slice(0, -1), form.slice(-longestForm)] : cuts;
};

/** In JSON and in addresses. */
function escaped(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const address = encodeURIComponent(text.toWellFormed());
  const lower = address.replace(/%[0-9A-F]{2}/g, code => code.toLowerCase());
  return [json, json.replaceAll('/', '\\/'), address, lower, address.replaceAll('%20', '+')];
}

/** In base64, whatever stands before and after it there, and in hexadecimal digits. */
function encoded(text: string): string[] {
  const bytes = Buffer.from(text);
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].flatMap(before => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes]);
    // Only what these bytes alone decide.
    const [from, to] = [Math.ceil((before * 8) / 6), Math.floor((whole.length * 8) / 6)];
    return (['base64', 'base64url'] as const).map(alphabet => whole.toString(alphabet).slice(from, to));
  });
  return [hex, hex.toUpperCase(), ...base64];
}
