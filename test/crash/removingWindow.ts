// A window in a process: node removingWindow.ts <scratch> <act> <id>
// Cleans up the parked copy of a migration, or deletes an instance permanently. Whoever watches it ends it in the middle.
import * as path from 'node:path';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { diskController } from './diskController.ts';
import { localProvider } from './twoFolders.ts';

const [scratch = '', act = '', id = ''] = process.argv.slice(2);

const providers = new ProviderDirectory([await localProvider(scratch, 'here'), await localProvider(scratch, 'there')]);
const controller = await diskController(path.join(scratch, 'state'), providers, undefined, {}, new StreamCarrier());
await controller.registry.load();
await controller.migrations.load();
if (act === 'clean up') await controller.migrations.cleanUp(id);
if (act === 'purge') await controller.purgeInstance(id);
await controller.dispose();
