import * as path from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../../scripts/editorHost.ts';
import { launchChromium } from './support/chromium.ts';
import { WorkbenchServer } from './support/workbenchServer.ts';

// What `npm run test:desktop` runs in a desktop's extension host, here in a server's.
test('inside an extension host an instance lives through the gate', { timeout: 240_000 }, async () => {
  const server = await WorkbenchServer.start({
    settings: { 'remoteSwarm.enabledProviders': ['local'] },
    smokeTestDriver: true,
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const said: string[] = [];
    const exit = Promise.withResolvers<number>();
    await page.exposeFunction('codeAutomationLog', (_type: string, args: unknown[]) => void said.push(args.join(' ')));
    await page.exposeFunction('codeAutomationExit', (code: number) => exit.resolve(code));
    const at = (...names: string[]) => `vscode-remote://${new URL(server.url).host}${path.join(projectRoot, ...names)}`;
    const payload = [
      ['extensionDevelopmentPath', at()],
      ['extensionTestsPath', at('test', 'desktop', 'suite.cjs')],
    ];
    await page.goto(`${server.url}&payload=${encodeURIComponent(JSON.stringify(payload))}`);
    expect(await exit.promise, said.join('\n')).toBe(0);
  } finally {
    await browser.close();
    await server.dispose();
  }
});
