import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A socket through which an engine is reached, and that keeps back what one connection brings past a limit. */
export interface HoldingDoor {
  readonly host: string;
  /** Bytes that each connection may have brought to the engine, from now on. At first all pass. */
  allow(bytes: number): void;
  close(): Promise<void>;
}

export async function openHoldingDoor(engineSocket: string, socket: string): Promise<HoldingDoor> {
  let limit = Number.POSITIVE_INFINITY;
  const held = new Set<() => void>();
  const gate = () => {
    let brought = 0;
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        brought += chunk.length;
        const pass = () => {
          if (brought > limit) return;
          held.delete(pass);
          done(null, chunk);
        };
        held.add(pass);
        pass();
      },
    });
  };
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, near => {
    const far = connect({ path: engineSocket, allowHalfOpen: true });
    open.add(near).add(far);
    // Whichever side breaks, the other one is closed by that, and says why.
    Promise.all([pipeline(near, gate(), far), pipeline(far, near)])
      .catch(() => {})
      .finally(() => {
        for (const end of [near, far]) open.delete(end.destroy());
      });
  });
  server.listen(socket);
  await once(server, 'listening');
  return {
    host: `unix://${socket}`,
    allow: bytes => {
      limit = bytes;
      for (const pass of [...held]) pass();
    },
    close: async () => {
      for (const end of open) end.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
