import { messageOf, providerRefused, providerUnreachable, SwarmError } from '../../model/errors.ts';

/** Where a failure happened, for its wording. */
export interface EngineFailure {
  readonly providerId: string;
  /** The engine's address as people write it. */
  readonly address: string;
  /** What was asked, as "Listing the containers". */
  readonly doing: string;
}

/** What a person does on the system that this runs on. */
const startEngine = (platform: NodeJS.Platform) =>
  platform === 'linux'
    ? 'Start Docker ("sudo systemctl start docker", or Docker Desktop), or correct the provider\'s "endpoint".'
    : 'Start Docker Desktop, or what else runs Docker here, or correct the provider\'s "endpoint".';
function beAllowed(platform: NodeJS.Platform): string {
  if (platform === 'win32')
    return 'Add yourself to the group "docker-users" (in Computer Management), sign out of Windows and in again.';
  if (platform === 'darwin')
    return 'Correct the owner of that socket: what runs Docker here makes it anew when it is restarted.';
  return 'Add yourself to its group ("sudo usermod -aG docker $USER"), sign out and in again, and restart the editor.';
}

/** The engine's HTTP status behind an error of this provider, or behind what dockerode threw. */
export function engineStatus(error: unknown): number | undefined {
  const raw: unknown = error instanceof SwarmError ? error.cause : error;
  const status = raw instanceof Error ? (raw as { statusCode?: unknown }).statusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}

/** Whether something could not be made because there is one of that name: Docker says so by a status, Podman in words. */
export const isNameTaken = (error: unknown) =>
  engineStatus(error) === 409 || (engineStatus(error) === 500 && said(error).includes('name is already in use'));

/** Whether an engine has not the API any more in which it was asked: it was updated since. */
export const isOtherApi = (error: unknown) => follows(said(error), 'client version ', ' is too ');

/**
 * Whether a call failed because the files of a volume that the container mounts are not there, though the engine still
 * lists the volume.
 */
export const isVolumeGone = (error: unknown) =>
  engineStatus(error) === 500 && follows(said(error), 'mount source ', ': no such file or directory');

/** The one place where what an engine, its transport or dockerode throws becomes a {@link SwarmError} with the fix. */
export function translateEngineError(
  error: unknown,
  failure: EngineFailure,
  platform: NodeJS.Platform = process.platform,
): SwarmError {
  if (error instanceof SwarmError) return error;
  const code = String((error as NodeJS.ErrnoException | undefined)?.code ?? '');
  const text = withoutHttp(said(error));
  if (isOtherApi(error))
    return providerUnreachable(failure.providerId, 'its engine was updated', 'Try again in a moment.', error);
  return transportError(error, code, text, failure, platform) ?? answerError(error, text, failure);
}

function transportError(
  error: unknown,
  code: string,
  text: string,
  { providerId, address }: EngineFailure,
  platform: NodeJS.Platform,
): SwarmError | undefined {
  const unreachable = (why: string, hint: string) => providerUnreachable(providerId, why, hint, error);
  if (code === 'EACCES' || code === 'EPERM') {
    return new SwarmError({
      family: 'permission',
      code: 'engine-permission',
      message: `You may not use the Docker engine at ${address}.`,
      hint: beAllowed(platform),
      cause: error,
    });
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return unreachable(`no Docker engine listens at ${address}`, startEngine(platform));
  }
  if (/^(ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(code)) {
    return unreachable(`${address} cannot be reached (${code})`, 'Check the host name, the network and the VPN.');
  }
  if (/wrong version number|packet length too long/i.test(text)) {
    return tlsError(`${address} does not speak TLS`, 'Remove "tls", or use the engine\'s TLS port (2376).', error);
  }
  if (/Client sent an HTTP request to an HTTPS server/i.test(text)) {
    return tlsError(`${address} wants TLS`, 'Set "tls" to the ca, cert and key files of that engine.', error);
  }
  if (/^(ERR_SSL_|ERR_TLS_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_OSSL_|EPROTO)/.test(code)) {
    const why = /CERT_ALTNAME/.test(code)
      ? 'its certificate is for another host'
      : /EXPIRED/.test(code)
        ? 'a certificate has expired'
        : /^ERR_SSL/.test(code)
          ? 'the engine refused our certificate'
          : /^ERR_OSSL/.test(code)
            ? 'a certificate or key file cannot be read'
            : 'its certificate was not signed by our "ca"';
    return tlsError(`${address}: ${why} (${code})`, 'Check the ca, cert and key files of the "tls" setting.', error);
  }
  if (/^HPE_/.test(code)) {
    return unreachable(`what answers at ${address} is no Docker engine`, 'Correct the provider\'s "endpoint".');
  }
  if (
    /^(ECONNRESET|EPIPE|ECONNABORTED|ERR_STREAM_PREMATURE_CLOSE)$/.test(code) ||
    /socket hang up|^aborted$/.test(text)
  ) {
    return unreachable('the connection was lost', 'The engine may have stopped or restarted. Try again in a moment.');
  }
  return undefined;
}

const tlsError = (what: string, hint: string, cause: unknown) =>
  providerRefused('engine-tls', `The secured connection to the Docker engine failed: ${what}.`, hint, cause);

function answerError(error: unknown, text: string, { providerId, doing }: EngineFailure): SwarmError {
  const refused = (code: string, what: string, hint: string) => providerRefused(code, what, hint, error);
  if (/no space left on device|disk quota exceeded/i.test(text)) {
    return refused(
      'disk-full',
      `The disk of the Docker engine "${providerId}" is full.`,
      'Free space there ("docker system df", "docker image prune"), then try again.',
    );
  }
  if (/address already in use|port is already allocated/i.test(text)) {
    return refused(
      'port-taken',
      `The port that the Docker engine "${providerId}" chose for the editor is taken.`,
      'Start it again; another port will be chosen.',
    );
  }
  const foreign = /no matching manifest for ([\w./]+)|image operating system "\w+" cannot be used/i.exec(text);
  if (foreign || /no match for platform in manifest/i.test(text)) {
    return refused(
      'image-unfit',
      `The image has no variant for the machine of the Docker engine "${providerId}"${foreign?.[1] ? ` (${foreign[1]})` : ''}.`,
      'Choose an image, or a tag of it, for that processor and for Linux; "docker manifest inspect" shows what a tag is for. Nothing was made.',
    );
  }
  if (
    /manifest unknown|no such image|repository does not exist|access denied|name unknown/i.test(text) ||
    follows(text.toLowerCase(), 'manifest for ', ' not found') ||
    // Docker 29, where containerd keeps the images.
    follows(text, 'failed to resolve reference ', ': not found') ||
    // What registries say of an image that nobody but those who are signed in may have.
    /unauthorized|no basic auth credentials|authentication required|: denied/i.test(text)
  ) {
    return refused(
      'image-not-found',
      `The Docker engine "${providerId}" cannot get the image: ${text}.`,
      'Check the image\'s name and tag. For a private registry, sign in with "docker login". Agents use no credentials of yours: create it yourself, or "docker pull" it on that engine first.',
    );
  }
  if (
    /TLS handshake|x509|dial tcp|no such host|Client\.Timeout|i\/o timeout|connection refused/i.test(text) ||
    follows(text.toLowerCase(), 'lookup ', ' on')
  ) {
    return refused(
      'registry-unreachable',
      `The Docker engine "${providerId}" cannot reach the image's registry: ${text}.`,
      'Check the image\'s name and the network of that engine, or "docker load" the image there and name it without a digest.',
    );
  }
  if (follows(text, 'network ', ' not found')) {
    return refused(
      'network-missing',
      `The network of the instance is not on the Docker engine "${providerId}" any more.`,
      'Start it again; its network will be made anew.',
    );
  }
  if (/non-overlapping IPv4 address pool|all predefined address pools/i.test(text)) {
    return refused(
      'no-network',
      `The Docker engine "${providerId}" has no address range left for a network.`,
      'Remove networks that are not in use ("docker network prune"), then try again.',
    );
  }
  return refused(
    'engine-refused',
    `${doing} was refused by the Docker engine "${providerId}": ${text.slice(0, 500)}.`,
    'Look at the log of that engine, correct what it names, and try again.',
  );
}

/** Whether one text comes after another; an expression for it would look for the second from each place of the first. */
function follows(text: string, first: string, then: string): boolean {
  const at = text.indexOf(first);
  return at >= 0 && text.includes(then, at + first.length);
}

/** Characters of an answer that are looked at for what it means. */
const mostRead = 4_000;

const said = (error: unknown) => messageOf(error).slice(0, mostRead);

/** dockerode puts "(HTTP code 404) no such container - " before what the engine said. */
const withoutHttp = (text: string) =>
  text
    .replace(/^\(HTTP code \d+\) .*? - /, '')
    .trim()
    .replace(/\.$/, '');
