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

  /** One that lives, as far as is known. Rejects as opening it does. */
  async get(): Promise<SshLink> {
    if (this.#disposed) throw closed();
    this.#link ??= this.#begin();
    const current = this.#link;
    const link = await current;
    if (link.alive) return link;
    if (this.#link === current) {
      this.#link = undefined;
      await link.dispose();
    }
    return this.get();
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    const link = await this.#link?.catch(() => undefined);
    await link?.dispose();
  }

  #begin(): Promise<SshLink> {
    const opening = this.#open();
    opening.catch(() => {
      if (this.#link === opening) this.#link = undefined;
    });
    return opening;
  }
}

export const closed = () =>
  new SwarmError({ family: 'network', code: 'connection-closed', message: 'The connection to the host was closed.' });
