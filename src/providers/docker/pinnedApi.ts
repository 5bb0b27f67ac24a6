/** The oldest API of an engine that can be used: Docker 19.03. */
export const oldestApi = '1.40';
/** What the suites run on. Later ones answer some questions otherwise, so that an engine is asked in this one if it can. */
const testedApi = '1.41';

/** What an engine says of its API; not all of them say what the oldest is. */
export interface ApiRange {
  readonly ApiVersion?: string;
  readonly MinAPIVersion?: string;
}

/** Pure: the version in which an engine is asked. One that has not the tested one any more is asked in its oldest. */
export function pinnedApi({ ApiVersion = oldestApi, MinAPIVersion = oldestApi }: ApiRange): string {
  const wanted = compareVersions(MinAPIVersion, testedApi) > 0 ? MinAPIVersion : testedApi;
  return compareVersions(ApiVersion, wanted) < 0 ? ApiVersion : wanted;
}

export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
