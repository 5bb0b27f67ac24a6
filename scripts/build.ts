// Bundles the extension into dist/: `node scripts/build.ts [--production]`.
import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import type { ImportKind, Metafile, Plugin } from 'esbuild';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');

/** What dockerode loads for transports, sessions and builds that we never use; without it, it is a fraction of its size. */
const absent = /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs.*|tar-fs)$/;
const leaveOut: Plugin = {
  name: 'leave-out',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: absent }, ({ path }) => ({ path, namespace: 'absent' }));
    onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/**
 * The file system as it is: that of Electron, in which an editor runs extensions, takes each `*.asar` for a folder, and
 * homes and folders may have files of such names.
 */
const realFiles: Plugin = {
  name: 'real-files',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?fs(\/promises)?$/ }, ({ path, namespace }) =>
      namespace === 'real-files'
        ? { path, external: true }
        : { path: path.replace('node:', ''), namespace: 'real-files' },
    );
    onLoad({ filter: /.*/, namespace: 'real-files' }, ({ path }) => ({
      contents: `module.exports = process.versions.electron ? require('original-${path}') : require('${path}');`,
    }));
  },
};

/** A file of what is built, its size in bytes, and whether activation loads it. */
export interface Bundle {
  readonly file: string;
  readonly bytes: number;
  readonly atActivation: boolean;
}

/**
 * Builds what runs on Node: `dist/extension.cjs`, `dist/hostProgram.cjs`, and one file for each module that is imported
 * dynamically, so that activation loads only what it needs. Modules that two of them share lie in chunks, once: an error
 * class is the same on both sides. `dist/hostProgram.json` lists what a host needs of it. esbuild splits only ES modules,
 * so a second pass turns its result into CommonJS.
 */
export async function buildExtension(production: boolean): Promise<Bundle[]> {
  const next = path.join(root, `dist.${process.pid}`);
  const modules = path.join(next, 'modules');
  const dist = path.join(root, 'dist');
  try {
    const common = {
      platform: 'node',
      target: 'node22',
      logLevel: 'warning',
      minify: production,
      sourcemap: !production,
      // Whatever a package.json above it says, on a host too.
      outExtension: { '.js': '.cjs' },
    } as const;
    const { metafile } = await build({
      ...common,
      metafile: true,
      absWorkingDir: root,
      entryPoints: ['src/extension.ts', 'src/hostProgram.ts'],
      outdir: modules,
      bundle: true,
      format: 'esm',
      splitting: true,
      chunkNames: '[name]-[hash]',
      external: ['vscode', '*.node', 'cpu-features', 'original-fs', 'original-fs/promises'],
      alias: {
        // The streams of Node itself, which it is a copy of for older ones.
        'readable-stream': 'node:stream',
        // By these names editors give extensions modules that know the proxy of the settings.
        'node:http': 'http',
        'node:https': 'https',
      },
      plugins: [leaveOut, realFiles],
    });
    const files = (await readdir(modules)).filter(file => file.endsWith('.cjs'));
    await build({
      ...common,
      absWorkingDir: modules,
      entryPoints: files,
      outdir: next,
      format: 'cjs',
      supported: { 'dynamic-import': false },
    });
    await rm(modules, { recursive: true });
    await buildHealthPage(production, next);
    const below = (file: string, kinds: readonly ImportKind[]) =>
      loadedBy(path.relative(root, path.join(modules, file)), metafile.outputs, kinds);
    const onHosts = below('hostProgram.cjs', ['import-statement', 'dynamic-import']);
    await writeFile(path.join(next, 'hostProgram.json'), JSON.stringify(onHosts));
    await rm(dist, { recursive: true, force: true });
    await rename(next, dist);
    const first = below('extension.cjs', ['import-statement']);
    const bundles = [...files, 'healthPage.js', 'healthPage.css'].map(async file => {
      return { file, atActivation: first.includes(file), bytes: (await stat(path.join(dist, file))).size };
    });
    return (await Promise.all(bundles)).sort((a, b) => b.bytes - a.bytes);
  } finally {
    await rm(next, { recursive: true, force: true });
  }
}

/** The page inside the health panel, which runs in a browser: `dist/healthPage.js` and `dist/healthPage.css`. */
async function buildHealthPage(production: boolean, outdir: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: { healthPage: 'src/vscode/healthPage/page.ts' },
    outdir,
    bundle: true,
    format: 'iife',
    platform: 'browser',
    target: 'chrome134',
    logLevel: 'warning',
    minify: production,
    sourcemap: !production && 'inline',
  });
}

/** The names of an output and of all that it imports in these ways, from first to last. */
function loadedBy(output: string, outputs: Metafile['outputs'], kinds: readonly ImportKind[]): string[] {
  const loaded = new Set([output]);
  for (const file of loaded) {
    for (const { path, kind } of outputs[file]?.imports ?? []) {
      if (path in outputs && kinds.some(each => each === kind)) loaded.add(path);
    }
  }
  return [...loaded].map(file => path.basename(file));
}

const total = (bundles: readonly Bundle[]) => bundles.reduce((sum, { bytes }) => sum + bytes, 0);

/** How many bytes activation loads. */
export const activationBytes = (bundles: readonly Bundle[]) => total(bundles.filter(bundle => bundle.atActivation));

if (process.argv[1] === import.meta.filename) {
  const bundles = await buildExtension(process.argv.includes('--production'));
  for (const { file, bytes, atActivation } of bundles) {
    console.log(`${String(bytes).padStart(9)}  ${file}${atActivation ? '  (at activation)' : ''}`);
  }
  console.log(`${String(total(bundles)).padStart(9)}  in all, ${activationBytes(bundles)} of them at activation`);
}
