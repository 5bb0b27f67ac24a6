/** What the settings of the editor say of the way to the web. */
export interface WebSettings {
  /** `http.proxy`; empty when none is set. */
  readonly proxy: string;
  /** `http.noProxy`. */
  readonly noProxy: readonly string[];
  /** `http.proxyStrictSSL`. */
  readonly strictSsl: boolean;
}
