/** Pure: the image that a name leads to now, by its digest; the name stays readable. One that names a digest stays as it is. */
export const pinned = (reference: string, digest: string): string =>
  reference.includes('@') ? reference : `${reference}@${digest}`;

/** What an instance was made of, and whether that is asked for anew. */
export interface ImageChoice {
  readonly pinnedImage?: string | undefined;
  readonly renews?: boolean | undefined;
}

/**
 * Pure: what an instance is made of: the image that it was made of before, as long as nobody asks for another one, or for
 * that one anew. Who asked for none keeps the default that it got; `isAlso` tells of other names that a provider gives.
 */
export function imageFor(
  asked: string | undefined,
  byDefault: string,
  { pinnedImage, renews = false }: ImageChoice,
  isAlso: (pinnedImage: string) => boolean = () => false,
): string {
  const wanted = asked ?? byDefault;
  if (pinnedImage === undefined || renews) return wanted;
  const isOfName = pinnedImage === wanted || pinnedImage.startsWith(`${wanted}@`);
  return isOfName || isAlso(pinnedImage) || (asked === undefined && pinnedImage.includes('@')) ? pinnedImage : wanted;
}
