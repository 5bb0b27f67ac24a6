import * as path from 'node:path';
import { credentialKey } from '../../../src/model/config.ts';
import type { FlyProviderConfig } from '../../../src/providers/fly/flyConfig.ts';
import { FlyProvider } from '../../../src/providers/fly/flyProvider.ts';
import { GuardedProvider } from '../../../src/providers/guardedProvider.ts';
import type { ProviderEnvironment } from '../../../src/providers/providerEnvironment.ts';
import { type LoneProvider, loneProvider } from '../../fakes/loneProvider.ts';
import { testMachine } from '../../fakes/testMachine.ts';
import { startEdge } from './cloudEdge.ts';
import { CloudServer } from './cloudServer.ts';
import { type CloudOptions, FlyCloud } from './flyCloud.ts';
import { type SpecGuard, startSpecGuard } from './specGuard.ts';

export const organization = 'personal';

/** The stand-in, all of what leads to it, and providers on it. */
export interface FlyScene {
  readonly cloud: FlyCloud;
  readonly server: CloudServer;
  readonly guard: SpecGuard;
  /** Who trusts it can talk to the addresses of apps; PEM. */
  readonly certificate: string;
  readonly config: FlyProviderConfig;
  readonly environment: ProviderEnvironment;
  /** The token that providers read. */
  token: string;
  makeProvider(): LoneProvider;
  close(): Promise<void>;
}

export async function openFlyScene(options?: CloudOptions): Promise<FlyScene> {
  const cloud = new FlyCloud(options);
  const server = await CloudServer.start(cloud);
  const [edge, guard] = await Promise.all([startEdge(cloud), startSpecGuard(server.apiUrl)]);
  const config: FlyProviderConfig = {
    ...{ id: 'fly', type: 'fly', organization, region: 'fra', diskGb: 3 },
    ...{ endpoints: { api: guard.url, logs: server.logsUrl, edge: edge.url } },
  };
  const scene: FlyScene = {
    ...{ cloud, server, guard, certificate: edge.certificate, config, token: 'fo1_a-token-of-the-test' },
    environment: {
      localDirectory: '/nonexistent',
      launcher: path.resolve(import.meta.dirname, '../../../media/instance/launcher.mjs'),
      editorServerDirectory: '/nonexistent',
      machine: testMachine,
      readSecret: async name => (name === credentialKey('fly') ? scene.token : undefined),
    },
    makeProvider: () => loneProvider(new GuardedProvider(new FlyProvider(config, scene.environment))),
    close: async () => {
      await guard.close();
      await edge.close();
      await server.close();
      await cloud.close();
    },
  };
  server.tokens.add(scene.token);
  return scene;
}
