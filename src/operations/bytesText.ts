const sizes = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** "120 MB", in the user's language. */
export function bytesText(bytes: number, locale: string): string {
  const power = bytes < 1000 ? 0 : Math.min(sizes.length - 1, Math.floor(Math.log10(bytes) / 3));
  const unit = sizes[power] ?? 'byte';
  const options = { style: 'unit', unit, unitDisplay: power === 0 ? 'long' : 'short', maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(locale, options as Intl.NumberFormatOptions).format(bytes / 1000 ** power);
}
