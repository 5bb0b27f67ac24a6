import { existsSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { chromium } from 'playwright-core';

/** The browser that the suite drives: `CHROMIUM`, else a system's own. Undefined where there is none. */
export const chromiumPath = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find(file => file !== undefined && existsSync(file));

/** Starts it without a window. Rejects with what to install where there is none. */
export function launchChromium(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('No Chromium: install the package "chromium", or set CHROMIUM.');
  const quiet = ['no-first-run', 'disable-background-networking', 'disable-component-update', 'disable-sync'];
  const args = ['no-sandbox', 'disable-gpu', 'disable-quic', 'disable-dev-shm-usage', ...quiet].map(
    flag => `--${flag}`,
  );
  return chromium.launch({ executablePath: chromiumPath, args });
}
