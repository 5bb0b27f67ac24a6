import { expect, test } from 'vitest';
import { referenceProblem } from '../../../src/operations/references.ts';

test.each([
  ['/opt/x:$PATH', undefined],
  [`\${PATH}:\${containerEnv:HOME}:\${containerEnv:X:y}:\${X:-y}:\${X:+y}`, undefined],
  ['pa$word, $(ls), $$, ${', undefined],
  [`\\\${OTHER} and \\$OTHER`, undefined],
  ['$OTHER', '"OTHER"'],
  [`\${OTHER:-x}`, '"OTHER"'],
  [`\${containerEnv:OTHER}`, '"OTHER"'],
  [`\${localEnv:HOME}`, `\${localEnv:…}`],
  [`\${env:HOME}`, `\${env:…}`],
  [`\${remoteEnv:HOME}`, `\${remoteEnv:…}`],
  [`\${localWorkspaceFolderBasename}`, `\${localWorkspaceFolderBasename}`],
  [`\${devcontainerId}`, `\${devcontainerId}`],
])('of the value %s it is told whether it can be expanded', (value, named) => {
  const problem = referenceProblem('PATH', { PATH: value, OTHER: '1' });
  if (named === undefined) expect(problem).toBeUndefined();
  else expect(problem).toContain(`must not refer to ${named}`);
});
