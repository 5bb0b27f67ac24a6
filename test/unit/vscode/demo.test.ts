import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { demoFolder, demoSettings, projectRoot } from '../../../scripts/editorHost.ts';

test('what `npm start` opens lies in no repository of ours, and nothing has to be trusted first', () => {
  expect(path.relative(projectRoot, demoFolder)).toMatch(/^\.\./);
  expect(existsSync(path.join(demoFolder, '.git'))).toBe(false);
  expect(demoSettings).toMatchObject({
    'security.workspace.trust.enabled': false,
    'git.openRepositoryInParentFolders': 'never',
  });
});
