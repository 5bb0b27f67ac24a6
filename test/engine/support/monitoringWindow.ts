// A window in a process: node monitoringWindow.ts <state directory> <endpoint> <image>
// Opens the swarm on one engine, with a round each 2.1 seconds, and monitors it when it is its turn. Prints what it
// shows, whenever that changes, as a line of JSON. SIGTERM closes it.
import { writeSync } from 'node:fs';
import * as path from 'node:path';
import { ProviderDirectory } from '../../../src/core/providerDirectory.ts';
import { ProviderFactory } from '../../../src/providers/providerFactory.ts';
import { diskController } from '../../crash/diskController.ts';
import { testMachine } from '../../fakes/testMachine.ts';

/** What a window shows: whether it observes, whether the engine answers, and how each instance is. */
export interface Shown {
  readonly observes: boolean;
  readonly reachable: boolean | undefined;
  readonly instances: readonly { readonly status: string; readonly health: string | undefined }[];
}

const [stateDirectory = '', endpoint = '', image = ''] = process.argv.slice(2);
const provider = await ProviderFactory.createProvider(
  'docker',
  { id: 'engine', type: 'docker', endpoint, image },
  {
    localDirectory: '/nonexistent',
    launcher: path.resolve(import.meta.dirname, '../../../media/instance/launcher.mjs'),
    editorServerDirectory: '/nonexistent',
    machine: testMachine,
    readSecret: async () => undefined,
  },
);
const providers = new ProviderDirectory([provider]);
const controller = await diskController(stateDirectory, providers, undefined, {
  // Longer than what was observed is believed, so that each round asks.
  ...{ checkInterval: 2.1, checkTimeout: 1, fleetShare: 1 },
});
// Rounds that come evenly can be counted exactly.
Math.random = () => 0.5;
let last = '';
const tell = () => {
  const shown: Shown = {
    observes: controller.health.isObserver,
    reachable: providers.condition('engine')?.reachable,
    instances: controller.listInstances().map(({ id, status }) => {
      return { status, health: controller.health.get(id)?.status };
    }),
  };
  const line = `${JSON.stringify(shown)}\n`;
  if (line !== last) writeSync(1, line);
  last = line;
};
// As the editor goes on, whatever the swarm does.
const editor = setInterval(() => {}, 60_000);
process.once('SIGTERM', () => {
  clearInterval(editor);
  void controller.dispose();
  const tellWhy = () => console.error('This window does not end:', process.getActiveResourcesInfo());
  setTimeout(tellWhy, 15_000).unref();
});
controller.onDidChange(tell);
await controller.initialize();
tell();
