import { SwarmError } from '../../model/errors.ts';
import type { SshLink } from '../sshLink.ts';

/** A link that is opened when it is first needed, and anew when it was lost. */
export class LastingLink {
  readonly #open: () => Promise<SshLink>;
  #link: Promise<SshLink> | undefined;
  #disposed = false;

  constructor(open: () => Promise<SshLink>) {
    this.#open = open;
  }

  /** One that lives, as far as is known. Rejects as opening it does, and when it is lost again at once. */
  async get(): Promise<SshLink> {
    const known = this.#link;
    const before = await known;
    if (this.#disposed) throw closed();
    if (before?.alive) return before;
    if (this.#link === known) this.#link = this.#begin(before);
    const link = await this.#link;
    if (!link?.alive) throw link?.problem ?? closed();
    return link;
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    const link = await this.#link?.catch(() => undefined);
    await link?.dispose();
  }

  #begin(before: SshLink | undefined): Promise<SshLink> {
    const opening = Promise.resolve(before?.dispose()).then(this.#open);
    opening.catch(() => {
      if (this.#link === opening) this.#link = undefined;
    });
    return opening;
  }
}

export const closed = () =>
  new SwarmError({ family: 'network', code: 'connection-closed', message: 'The connection to the host was closed.' });
