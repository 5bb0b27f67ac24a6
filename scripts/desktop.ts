// `npm run test:desktop`: the extension in a desktop VS Code, which is downloaded. Runs test/desktop/ in its extension host.
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { runTests } from '@vscode/test-electron';
import { installEditorServer } from '../src/providers/editorServerInstaller.ts';
import { buildExtension } from './build.ts';
import { editorServerDirectory, hostLayout, prepareHost, projectRoot, writeSettings } from './editorHost.ts';

await installEditorServer(editorServerDirectory);
await buildExtension(false);
const profile = await mkdtemp(path.join(tmpdir(), 'remote-swarm-desktop-'));
try {
  // A desktop's user folder is what `data` is for a server; the link makes both layouts the same.
  await prepareHost(profile);
  await symlink(path.dirname(hostLayout(profile).settings), path.join(profile, 'User'));
  await writeSettings(profile, { 'remoteSwarm.enabledProviders': ['local'] });
  process.exitCode = await runTests({
    extensionDevelopmentPath: projectRoot,
    extensionTestsPath: path.join(projectRoot, 'test', 'desktop', 'suite.cjs'),
    launchArgs: ['--user-data-dir', profile, '--disable-workspace-trust', '--skip-welcome'],
  });
} finally {
  await rm(profile, { recursive: true, force: true });
}
