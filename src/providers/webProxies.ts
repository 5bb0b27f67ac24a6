import { readFile } from 'node:fs/promises';
import * as tls from 'node:tls';
import type { WebSettings } from '../model/webSettings.ts';

/** Addresses of proxies, by what goes through them, and the hosts that are reached without one. */
export interface Proxies {
  readonly http?: string | undefined;
  readonly https?: string | undefined;
  readonly ftp?: string | undefined;
  readonly all?: string | undefined;
  readonly no?: string | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

const names = { http: 'HTTP_PROXY', https: 'HTTPS_PROXY', ftp: 'FTP_PROXY', all: 'ALL_PROXY', no: 'NO_PROXY' } as const;
const kinds = Object.keys(names) as (keyof Proxies)[];

/** Pure: the proxies of a person: those of the editor's settings, as the editor has it, else those of the environment. */
export function proxiesOf(web: WebSettings | undefined, env: Variables): Proxies {
  if (web?.proxy)
    return { http: web.proxy, https: web.proxy, no: web.noProxy.length > 0 ? web.noProxy.join(',') : undefined };
  const told = kinds.map(kind => [kind, env[names[kind].toLowerCase()] || env[names[kind]] || undefined] as const);
  return Object.fromEntries(told.filter(([, value]) => value !== undefined));
}

/** Pure: the variables that tell of proxies, in both ways in which programs look for them. */
export function proxyVariables(proxies: Proxies): Record<string, string> {
  return Object.fromEntries(
    kinds.flatMap(kind => {
      const value = proxies[kind];
      return value ? [names[kind], names[kind].toLowerCase()].map(name => [name, value]) : [];
    }),
  );
}

/** Pure: those that can be reached from elsewhere too; a proxy on this computer is none in a container. */
export function proxiesElsewhere({ no, ...proxies }: Proxies): Proxies {
  const reachable = Object.entries(proxies).filter(([, address]) => address && !isLoopback(address));
  const own = 'localhost,127.0.0.1,::1';
  return reachable.length === 0 ? {} : { ...Object.fromEntries(reachable), no: no ? `${no},${own}` : own };
}

function isLoopback(address: string): boolean {
  const url = address.includes('://') ? address : `http://${address}`;
  if (!URL.canParse(url)) return false;
  return /^(localhost|\[::1\]|127(\.\d+){3})$/.test(new URL(url).hostname);
}

/** Pure: what npm is told of them. What stands in a person's own `.npmrc` wins. */
export function npmVariables(web: WebSettings | undefined, env: Variables): Record<string, string> {
  const isLoose = web?.strictSsl === false;
  return { ...proxyVariables(proxiesOf(web, env)), ...(isLoose && { npm_config_strict_ssl: 'false' }) };
}

/** What Node has since 22.15, and the types of the oldest editor have not. */
const certificates = tls as typeof tls & { getCACertificates?(type: 'system'): string[] };

/**
 * The certificates that this computer trusts beside those that Node brings, as a company puts them there: those of the
 * system, and of the file that `NODE_EXTRA_CA_CERTS` names; PEM, empty when there are none. Never rejects.
 */
export async function trustedCertificates(env: Variables, system = systemCertificates): Promise<string> {
  const { NODE_EXTRA_CA_CERTS: file } = env;
  const extra = file ? await readFile(file, 'utf8').catch(() => '') : '';
  return [...system(), extra].filter(text => text !== '').join('\n');
}

function systemCertificates(): string[] {
  try {
    return certificates.getCACertificates?.('system') ?? [];
  } catch {
    return [];
  }
}
