import { globSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');

/** Which folders of `src/` a folder may import; itself always. The roots, `extension.ts` and `swarm.ts`, see everything. */
const mayImport: Record<string, readonly string[]> = {
  model: [],
  core: ['model'],
  providers: ['model'],
  storage: ['model'],
  operations: ['core', 'model'],
  mcp: ['operations', 'core', 'model'],
  vscode: ['operations', 'core', 'model'],
};

interface Import {
  file: string;
  folder: string;
  target: string;
}

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g;
  return [...text.matchAll(pattern)].map(match => match[1] ?? match[2] ?? match[3] ?? '');
}

const files = globSync('src/**/*.ts', { cwd: root }).map(file => file.replaceAll('\\', '/'));
const imports: Import[] = files.flatMap(file =>
  importsOf(file).map(target => ({
    file,
    folder: file.split('/')[1] ?? '',
    target: target.startsWith('.') ? path.posix.join(path.posix.dirname(file), target) : target,
  })),
);
/** The files that are loaded with this one, and the packages: what is imported for its types or dynamically is not. */
function loadedWith(entry: string): Set<string> {
  const loaded = new Set([entry]);
  for (const file of loaded) {
    if (!file.startsWith('src/')) continue;
    for (const [, target = ''] of text(file).matchAll(/^(?:import|export) (?!type )[^;'"=]*?['"]([^'"]+)['"];$/gm)) {
      loaded.add(target.startsWith('.') ? path.posix.join(path.posix.dirname(file), target) : target);
    }
  }
  return loaded;
}
const isRoot = (file: string) => !file.slice('src/'.length).includes('/');
const text = (file: string) => readFileSync(path.join(root, file), 'utf8');

describe('the laws of the house', () => {
  test('a folder imports only folders below it', () => {
    const wrong = imports.filter(({ file, folder, target }) => {
      if (isRoot(file) || !target.startsWith('src/')) return false;
      const below = target.split('/')[1] ?? '';
      return below !== folder && !mayImport[folder]?.includes(below);
    });
    expect(wrong).toEqual([]);
  });

  test('only vscode/ and extension.ts import vscode', () => {
    const wrong = imports.filter(i => i.target === 'vscode' && i.folder !== 'vscode' && i.file !== 'src/extension.ts');
    expect(wrong).toEqual([]);
  });

  test('model/ imports zod and nothing else', () => {
    const wrong = imports.filter(i => i.folder === 'model' && i.target !== 'zod' && !i.target.startsWith('src/model/'));
    expect(wrong).toEqual([]);
  });

  test('core/ opens no file and no socket, and knows few clocks', () => {
    const builtins = imports.filter(
      i => i.folder === 'core' && i.target.startsWith('node:') && i.target !== 'node:crypto',
    );
    const clocks = files
      .filter(file => file.startsWith('src/core/'))
      .filter(file => /\b(setInterval|setImmediate|process\.|new Date\(\))/.test(text(file)));
    expect({ builtins, clocks }).toEqual({ builtins: [], clocks: [] });
  });

  test('no provider knows another', () => {
    const wrong = imports.filter(({ file, target }) => {
      const own = /^src\/providers\/(\w+)\//.exec(file)?.[1];
      const other = /^src\/providers\/(\w+)\//.exec(target)?.[1];
      return own !== undefined && other !== undefined && own !== other;
    });
    expect(wrong).toEqual([]);
  });

  test('no branch on a provider type outside providerFactory.ts', () => {
    const branch =
      /(?:\btype|[tT]ype)\s*(?:===|!==)\s*['"](?:local|docker|fly|ssh|kubernetes)['"]|case\s+['"](?:docker|fly|kubernetes)['"]/;
    const wrong = files.filter(file => file !== 'src/providers/providerFactory.ts' && branch.test(text(file)));
    expect(wrong).toEqual([]);
  });

  test('activation loads no schema, no provider and no long list', () => {
    const late = /^(zod|src\/providers\/.*|src\/operations\/catalog\.ts|src\/model\/confusables\.ts|src\/swarm\.ts)$/;
    expect([...loadedWith('src/extension.ts')].filter(file => late.test(file))).toEqual([]);
  });

  test('nothing in src/ imports test/', () => {
    expect(imports.filter(i => i.target.startsWith('test/'))).toEqual([]);
  });

  test('extension.ts stays under 120 lines, no file over 400 that a person wrote', () => {
    const written = files.filter(file => !file.endsWith('.d.ts'));
    const lengths = written.map(file => ({ file, lines: text(file).split('\n').length }));
    const wrong = lengths.filter(({ file, lines }) => lines > (file === 'src/extension.ts' ? 120 : 400));
    expect(wrong).toEqual([]);
  });
});
