import type { Endpoint } from '../model/provider.ts';

/** Ports of applications inside instances that this window has made reachable. They end with the window. */
export class PortForwards {
  readonly #endpoints = new Map<string, Endpoint>();

  /** The way to a port that was opened before; undefined when there is none. */
  get(instanceId: string, port: number): Endpoint | undefined {
    return this.#endpoints.get(`${instanceId}:${port}`);
  }

  /** Opens the way once; later calls answer with the same one. */
  async open(instanceId: string, port: number, connect: () => Promise<Endpoint>): Promise<Endpoint> {
    const known = this.get(instanceId, port);
    if (known) return known;
    const endpoint = await connect();
    this.#endpoints.set(`${instanceId}:${port}`, endpoint);
    return endpoint;
  }

  close(instanceId: string, port: number): void {
    this.get(instanceId, port)?.dispose();
    this.#endpoints.delete(`${instanceId}:${port}`);
  }

  /** Lets go of everything that leads to an instance that no longer runs. */
  keepOnly(isRunning: (instanceId: string) => boolean): void {
    for (const [key, endpoint] of this.#endpoints) {
      if (isRunning(key.slice(0, key.lastIndexOf(':')))) continue;
      endpoint.dispose();
      this.#endpoints.delete(key);
    }
  }

  dispose(): void {
    this.keepOnly(() => false);
  }
}
