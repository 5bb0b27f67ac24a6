import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import type { GitServerOptions } from '../fakes/gitServer.ts';
import { type FieldCase, fieldSuite } from './fieldSuite.ts';
import { SourceBench } from './support/sourceBench.ts';

const on = (found: (bench: SourceBench) => unknown) => () => SourceBench.with(found);

/** The person's work in a worktree: one commit, one change in the index, one beside it and one new file. */
function workIn(bench: SourceBench, folder: string): void {
  bench.commit(folder, 'second');
  writeFileSync(path.join(folder, 'staged'), 'staged');
  bench.git(folder, 'add', 'staged');
  writeFileSync(path.join(folder, 'file'), 'changed');
  writeFileSync(path.join(folder, 'new'), 'new');
}
/** What was to come along of {@link workIn}. */
const work = { log: ['second', 'first'], status: ['M file', 'A  staged', '?? new'], branch: 'topic' };
const workInside = (bench: SourceBench) => ({
  log: bench.inside('log', '--format=%s').split('\n'),
  status: bench.inside('status', '--short').split('\n'),
  branch: bench.inside('branch', '--show-current'),
});

/** Commits in the instance; what became of the person's branches by that. */
function afterCommit(bench: SourceBench, theirs: string, where = '.'): string {
  const before = bench.git(theirs, 'for-each-ref');
  bench.inside('-C', where, 'commit', '--quiet', '--allow-empty', '-m', 'in the instance');
  bench.inside('-C', where, 'branch', 'made-in-the-instance');
  return bench.git(theirs, 'for-each-ref') === before ? 'theirs as before' : 'theirs moved';
}

function worktree(bench: SourceBench, ...config: string[]): string {
  const main = bench.repository('main');
  for (const setting of config) bench.git(main, 'config', ...setting.split(' '));
  bench.git(main, 'worktree', 'add', '--quiet', '-b', 'topic', bench.at('tree'));
  workIn(bench, bench.at('tree'));
  return bench.at('tree');
}

/** A submodule of a repository, as people have it checked out. */
function submodule(bench: SourceBench): string {
  const library = bench.repository('library');
  const main = bench.repository('main');
  bench.git(main, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'lib');
  bench.git(main, 'commit', '--quiet', '-m', 'with library');
  return main;
}

const copies: FieldCase[] = [
  {
    input: 'a worktree beside its repository',
    report: 'devcontainers/cli#796',
    right: { told: [], ...work, after: 'theirs as before', worktrees: 1 },
    found: on(async bench => {
      const told = await bench.copy(worktree(bench));
      const worktrees = bench.inside('worktree', 'list').split('\n').length;
      return { told, ...workInside(bench), after: afterCommit(bench, bench.at('main')), worktrees };
    }),
  },
  {
    input: 'a worktree whose .git names its repository by a relative path',
    report: 'microsoft/vscode-remote-release#11478',
    right: { told: [], ...work, after: 'theirs as before' },
    found: on(async bench => {
      const tree = worktree(bench);
      writeFileSync(path.join(tree, '.git'), 'gitdir: ../main/.git/worktrees/tree\n');
      writeFileSync(bench.at('main/.git/worktrees/tree/gitdir'), '../../../../tree/.git\n');
      return { told: await bench.copy(tree), ...workInside(bench), after: afterCommit(bench, bench.at('main')) };
    }),
  },
  {
    input: 'a worktree of a bare repository, one folder a branch',
    report: 'loft-sh/devpod#512',
    right: { told: [], ...work, after: 'theirs as before', bare: 'false' },
    found: on(async bench => {
      bench.git(bench.root, 'clone', '--quiet', '--bare', bench.repository('origin'), bench.at('all/.bare'));
      writeFileSync(bench.at('all/.git'), 'gitdir: ./.bare\n');
      bench.git(bench.at('all/.bare'), 'remote', 'remove', 'origin');
      bench.git(bench.at('all'), 'worktree', 'add', '--quiet', '-b', 'topic', 'feature/topic');
      workIn(bench, bench.at('all/feature/topic'));
      const told = await bench.copy(bench.at('all/feature/topic'));
      const bare = bench.inside('rev-parse', '--is-bare-repository');
      return { told, ...workInside(bench), after: afterCommit(bench, bench.at('all')), bare };
    }),
  },
  {
    input: 'all worktrees of a bare repository at once',
    report: 'microsoft/vscode#68038',
    right: { told: [], status: 'M file', list: ['.bare', 'main', 'topic'], after: 'theirs as before', pruned: '' },
    found: on(async bench => {
      bench.git(bench.root, 'clone', '--quiet', '--bare', bench.repository('origin'), bench.at('all/.bare'));
      writeFileSync(bench.at('all/.git'), 'gitdir: ./.bare\n');
      bench.git(bench.at('all/.bare'), 'remote', 'remove', 'origin');
      bench.git(bench.at('all'), 'worktree', 'add', '--quiet', 'main');
      bench.git(bench.at('all'), 'worktree', 'add', '--quiet', '-b', 'topic', 'topic');
      writeFileSync(bench.at('all/topic/file'), 'changed');
      const told = await bench.copy(bench.at('all'));
      const status = bench.inside('-C', 'topic', 'status', '--short');
      const lines = bench.inside('worktree', 'list', '--porcelain').split('\n');
      const list = lines.flatMap(line => /^worktree (.*)/.exec(line)?.[1] ?? []);
      const pruned = bench.inside('worktree', 'prune', '--dry-run', '--verbose');
      return {
        ...{ told, status, pruned, list: list.map(name => path.relative(bench.workspace(), name)) },
        after: afterCommit(bench, bench.at('all'), 'topic'),
      };
    }),
  },
  {
    input: 'a repository whose other worktrees lie elsewhere',
    report: 'dfinity/ic#11183',
    right: {
      told: ['Worktrees in other folders were not copied: /tree.'],
      ...{ switched: 'topic', removed: 1, theirs: true },
    },
    found: on(async bench => {
      worktree(bench);
      const told = await bench.copy(bench.at('main'));
      bench.inside('checkout', '--quiet', 'topic');
      const switched = bench.inside('branch', '--show-current');
      const removed = bench.inside('worktree', 'list').split('\n').length;
      bench.inside('worktree', 'remove', '--force', bench.at('tree'));
      return { told, switched, removed, theirs: existsSync(bench.at('tree', 'new')) };
    }),
  },
  {
    input: 'a repository with worktrees of agents in it',
    report: 'rsim/oracle-enhanced#2803',
    right: { told: [], branch: 'agent', status: '?? mine', after: 'theirs as before' },
    found: on(async bench => {
      const main = bench.repository('main');
      bench.git(main, 'worktree', 'add', '--quiet', '-b', 'agent', '.worktrees/agent');
      const told = await bench.copy(main);
      writeFileSync(bench.workspace('.worktrees/agent/mine'), '');
      const branch = bench.inside('-C', '.worktrees/agent', 'branch', '--show-current');
      const status = bench.inside('-C', '.worktrees/agent', 'status', '--short');
      return { told, branch, status, after: afterCommit(bench, main, '.worktrees/agent') };
    }),
  },
  {
    input: 'a worktree of which the repository was moved away',
    report: 'SchneiderDaniel/cheasee-pi#1000',
    right: {
      told: [
        '.git leads to /main/.git/worktrees/tree, where no repository is, and was left out: git knows nothing of this folder in the instance. Run "git worktree repair" in its main repository, or clone it anew, and create the instance again.',
      ],
      files: [true, false],
    },
    found: on(async bench => {
      const tree = worktree(bench);
      renameSync(bench.at('main'), bench.at('moved'));
      return { told: await bench.copy(tree), files: [bench.has('new'), bench.has('.git')] };
    }),
  },
  {
    input: 'a shared configuration with core.worktree, and one for each worktree',
    report: 'anthropics/claude-code#78486',
    right: { told: [], ...work, after: 'theirs as before', top: true },
    found: on(async bench => {
      const tree = worktree(bench, 'extensions.worktreeConfig true');
      bench.git(bench.at('main'), 'config', 'core.worktree', bench.at('main'));
      const told = await bench.copy(tree);
      const top = bench.inside('rev-parse', '--show-toplevel') === bench.workspace();
      return { told, ...workInside(bench), after: afterCommit(bench, bench.at('main')), top };
    }),
  },
  {
    input: 'a submodule by itself',
    report: 'microsoft/vscode-remote-release#7826',
    right: {
      told: [
        'These settings of git led out of the folder and were left out: remote.origin.url = /library. Set them again in the instance where they are needed.',
      ],
      ...{ log: 'first', status: 'M file', after: 'theirs as before' },
    },
    found: on(async bench => {
      const main = submodule(bench);
      writeFileSync(path.join(main, 'lib', 'file'), 'changed');
      const told = await bench.copy(path.join(main, 'lib'));
      const [log, status] = [bench.inside('log', '--format=%s'), bench.inside('status', '--short')];
      return { told, log, status, after: afterCommit(bench, path.join(main, 'lib')) };
    }),
  },
  {
    input: 'a worktree with submodules',
    report: 'dagger/container-use#161',
    right: { status: 'M lib', submodule: 'second', after: 'theirs as before', own: true },
    found: on(async bench => {
      const main = submodule(bench);
      bench.git(main, 'worktree', 'add', '--quiet', '-b', 'topic', bench.at('tree'));
      bench.git(bench.at('tree'), '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'update', '--init');
      bench.commit(bench.at('tree/lib'), 'second');
      await bench.copy(bench.at('tree'));
      const [status, submoduleLog] = [
        bench.inside('status', '--short'),
        bench.inside('-C', 'lib', 'log', '-1', '--format=%s'),
      ];
      const own = bench.inside('-C', 'lib', 'rev-parse', '--show-toplevel') === bench.workspace('lib');
      return { status, submodule: submoduleLog, after: afterCommit(bench, bench.at('tree/lib'), 'lib'), own };
    }),
  },
  {
    input: 'a clone that borrows all objects of another one',
    report: 'thefrederiksen/cc-software-survey#57',
    right: { borrowed: [], log: 'first', whole: '', alternates: false },
    found: on(async bench => {
      bench.git(bench.root, 'clone', '--quiet', '--shared', bench.repository('lender'), bench.at('clone'));
      bench.git(bench.at('clone'), 'remote', 'remove', 'origin');
      const borrowed = await bench.copy(bench.at('clone'));
      renameSync(bench.at('lender'), bench.at('gone'));
      const alternates = bench.has('.git', 'objects', 'info', 'alternates');
      return {
        borrowed,
        log: bench.inside('log', '--format=%s'),
        whole: bench.inside('fsck', '--no-dangling'),
        alternates,
      };
    }),
  },
  {
    input: 'a clone whose lender borrows itself, and is packed',
    report: 'preset-io/agor#2529',
    right: { told: [], log: ['second', 'first'], whole: '', alternates: false },
    found: on(async bench => {
      const lender = bench.repository('lender');
      bench.git(lender, 'gc', '--quiet');
      bench.git(bench.root, 'clone', '--quiet', '--shared', lender, bench.at('middle'));
      bench.commit(bench.at('middle'), 'second');
      bench.git(bench.root, 'clone', '--quiet', '--shared', bench.at('middle'), bench.at('clone'));
      bench.git(bench.at('clone'), 'remote', 'remove', 'origin');
      const told = await bench.copy(bench.at('clone'));
      return {
        told,
        log: bench.inside('log', '--format=%s').split('\n'),
        whole: bench.inside('fsck', '--no-dangling'),
        alternates: bench.has('.git/objects/info/alternates'),
      };
    }),
  },
  {
    input: 'a .git that is a link, as the repo tool has it',
    report: 'libgit2/libgit2#6401',
    right: { told: [], log: 'first', linked: false, after: 'theirs as before' },
    found: on(async bench => {
      const project = bench.repository('project');
      renameSync(path.join(project, '.git'), bench.at('project.git'));
      symlinkSync('../project.git', path.join(project, '.git'));
      const told = await bench.copy(project);
      const linked = lstatSync(bench.workspace('.git')).isSymbolicLink();
      return { told, log: bench.inside('log', '--format=%s'), linked, after: afterCommit(bench, project) };
    }),
  },
  {
    input: 'a working folder made by git-new-workdir',
    report: 'git-for-windows/git#225',
    right: { told: [], log: 'first', after: 'theirs as before' },
    found: on(async bench => {
      const main = bench.repository('main');
      mkdirSync(bench.at('work/.git/logs'), { recursive: true });
      for (const name of ['config', 'refs', 'logs/refs', 'objects', 'info', 'hooks'])
        symlinkSync(path.join(main, '.git', name), bench.at('work/.git', name));
      for (const name of ['HEAD', 'index']) copyFileSync(path.join(main, '.git', name), bench.at('work/.git', name));
      writeFileSync(bench.at('work/file'), 'first\n');
      const told = await bench.copy(bench.at('work'));
      return { told, log: bench.inside('log', '--format=%s'), after: afterCommit(bench, main) };
    }),
  },
  {
    input: 'hooks, includes and a store of large files outside of the repository',
    report: 'microsoft/vscode-remote-release#5312',
    right: {
      told: [
        'These settings of git led out of the folder and were left out: core.hookspath = /hooks, include.path = ../../more, lfs.storage = /store. Set them again in the instance where they are needed.',
      ],
      config: [
        'core.bare=false',
        'core.filemode=true',
        'core.logallrefupdates=true',
        'core.repositoryformatversion=0',
        'user.name=ann',
      ],
    },
    found: on(async bench => {
      const main = bench.repository('main');
      bench.git(main, 'config', 'core.hooksPath', bench.at('hooks'));
      bench.git(main, 'config', 'include.path', '../../more');
      bench.git(main, 'config', 'lfs.storage', bench.at('store'));
      bench.git(main, 'config', 'user.name', 'ann');
      const told = await bench.copy(main);
      return { told, config: bench.inside('config', '--local', '--list').split('\n').sort() };
    }),
  },
  {
    input: 'a hooks folder of the repository itself, by its whole path',
    report: 'block/buzz#1751',
    right: { told: [], hooks: '.githooks' },
    found: on(async bench => {
      const main = bench.repository('main');
      bench.git(main, 'config', 'core.hooksPath', path.join(main, '.githooks'));
      const told = await bench.copy(main);
      return { told, hooks: path.relative(bench.workspace(), bench.inside('config', 'core.hooksPath')) };
    }),
  },
  {
    input: 'a folder in a repository',
    report: 'xorq-labs/xorq#1988',
    right: {
      told: [
        'The folder is a part of the repository /main, which was not copied: git knows nothing of it in the instance. Copy /main to have it there.',
      ],
      file: true,
    },
    found: on(async bench => {
      mkdirSync(path.join(bench.repository('main'), 'packages'));
      writeFileSync(bench.at('main/packages/code'), '');
      return { told: await bench.copy(bench.at('main/packages')), file: bench.has('code') };
    }),
  },
  {
    input: 'links to data on another disk',
    report: 'microsoft/vscode-remote-release#5881',
    right: {
      told: [
        'Links that lead out of the folder were copied as they are, without what they lead to: data -> /disk/data.',
      ],
      data: true,
    },
    found: on(async bench => {
      const main = bench.repository('main');
      mkdirSync(bench.at('disk/data'), { recursive: true });
      symlinkSync(bench.at('disk/data'), path.join(main, 'data'));
      return { told: await bench.copy(main), data: readlinkSync(bench.workspace('data')) === bench.at('disk/data') };
    }),
  },
  {
    input: 'links in a worktree to what its repository has unversioned',
    report: 'xorq-labs/xorq#1974',
    right: {
      told: [
        'Links into the repository that the folder comes from were left out, so that nothing in the instance changes it: node_modules -> /main/node_modules. Put files of its own there.',
      ],
      modules: false,
    },
    found: on(async bench => {
      const tree = worktree(bench);
      mkdirSync(bench.at('main/node_modules'));
      symlinkSync(bench.at('main/node_modules'), path.join(tree, 'node_modules'));
      return {
        told: await bench.copy(tree),
        modules: lstatSync(bench.workspace('node_modules'), { throwIfNoEntry: false }) !== undefined,
      };
    }),
  },
  {
    input: 'links within the folder by their whole paths',
    report: 'microsoft/vscode-remote-release#1740',
    right: { told: [], links: ['src/a [1]', 'src'] },
    found: on(async bench => {
      const main = bench.repository('ma in.&');
      mkdirSync(path.join(main, 'src'));
      writeFileSync(path.join(main, 'src', 'a [1]'), '');
      symlinkSync(main, bench.at('other'));
      symlinkSync(path.join(main, 'src', 'a [1]'), path.join(main, 'one'));
      symlinkSync(bench.at('other', 'src'), path.join(main, 'two'));
      const told = await bench.copy(main);
      return {
        told,
        links: ['one', 'two'].map(name => path.relative(bench.workspace(), readlinkSync(bench.workspace(name)))),
      };
    }),
  },
];

/** Has a server with what `change` made of a repository, and clones it; what is told, and what is checked out. */
async function cloned(
  bench: SourceBench,
  change: (folder: string) => void,
  how: { ref?: string; depth?: number; filter?: string } = {},
) {
  const folder = bench.repository('origin');
  change(folder);
  const { url } = await bench.serve(folder);
  const told = await bench.fill({ kind: 'git', url, ...how });
  return { told, log: bench.inside('log', '-1', '--format=%s'), branch: bench.inside('branch', '--show-current') };
}

/** Gives the repository a commit that only `ref` has. */
function aside(bench: SourceBench, folder: string, ref: string): string {
  bench.git(folder, 'checkout', '--quiet', '--detach');
  bench.commit(folder, 'aside');
  const commit = bench.git(folder, 'rev-parse', 'HEAD');
  bench.git(folder, 'update-ref', ref, commit);
  bench.git(folder, 'checkout', '--quiet', 'main');
  return commit;
}

/** Lets the repository have submodules, by path and address, all with the same commit. */
function addSubmodules(bench: SourceBench, folder: string, modules: Record<string, string>, commit: string): void {
  const entries = Object.entries(modules).map(
    ([name, url]) => `[submodule "${name}"]\n\tpath = ${name}\n\turl = ${url}\n`,
  );
  writeFileSync(path.join(folder, '.gitmodules'), entries.join(''));
  for (const name of Object.keys(modules))
    bench.git(folder, 'update-index', '--add', '--cacheinfo', `160000,${commit},${name}`);
  bench.git(folder, 'add', '.gitmodules');
  bench.git(folder, 'commit', '--quiet', '-m', 'with submodules');
}

/** Serves a repository with submodules, by path and address; each has one itself. */
async function withSubmodules(
  bench: SourceBench,
  submodules: (origin: string) => Record<string, string>,
  options: GitServerOptions = {},
) {
  const [main, library] = [bench.repository('main'), bench.repository('library')];
  const server = await bench.serve(main, options);
  const inner = bench.repository('inner');
  addSubmodules(bench, library, { inner: '../inner.git' }, bench.git(inner, 'rev-parse', 'HEAD'));
  addSubmodules(bench, main, submodules(server.origin), bench.git(library, 'rev-parse', 'HEAD'));
  server.publish(inner, 'inner.git');
  server.publish(main);
  server.publish(library, 'library.git');
  return server;
}

/** A repository with one large file, which the clone only has the pointer of. */
function largeFile(bench: SourceBench, folder: string): void {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 5\n`;
  writeFileSync(path.join(folder, '.gitattributes'), '*.bin filter=lfs diff=lfs merge=lfs -text\n');
  writeFileSync(path.join(folder, 'large.bin'), pointer);
  bench.git(folder, '-c', 'filter.lfs.clean=cat', 'add', '.');
  bench.git(folder, 'commit', '--quiet', '-m', 'large');
}

const clones: FieldCase[] = [
  {
    input: 'a pull request, as devpod names it',
    report: 'loft-sh/devpod#666',
    right: { told: [], log: 'aside', branch: '' },
    found: on(bench => cloned(bench, folder => aside(bench, folder, 'refs/pull/7/head'), { ref: 'pull/7/head' })),
  },
  {
    input: 'a merge request by its whole name',
    report: 'pingdotgg/t3code#6448',
    right: { told: [], log: 'aside', branch: '' },
    found: on(bench =>
      cloned(bench, folder => aside(bench, folder, 'refs/merge-requests/7/head'), {
        ref: 'refs/merge-requests/7/head',
      }),
    ),
  },
  {
    input: 'a commit that no branch or tag has',
    report: 'dagger/dagger#8747',
    right: { told: [], log: 'aside', branch: '' },
    found: on(async bench => {
      const commit = aside(bench, bench.repository('origin'), 'refs/pull/7/head');
      const { url } = await bench.serve(bench.at('origin'));
      const told = await bench.fill({ kind: 'git', url, ref: commit });
      return { told, log: bench.inside('log', '-1', '--format=%s'), branch: bench.inside('branch', '--show-current') };
    }),
  },
  {
    input: 'a branch by its whole name',
    report: 'woodpecker-ci/plugin-git#81',
    right: { told: [], log: 'aside', branch: 'feature/one' },
    found: on(bench =>
      cloned(bench, folder => aside(bench, folder, 'refs/heads/feature/one'), { ref: 'refs/heads/feature/one' }),
    ),
  },
  {
    input: 'a tag',
    report: 'keptn/keptn#319',
    right: { told: [], log: 'aside', branch: '' },
    found: on(bench => cloned(bench, folder => aside(bench, folder, 'refs/tags/0.1.0'), { ref: '0.1.0' })),
  },
  {
    input: 'a branch that is not the default one, of a shallow clone',
    report: 'imbue-ai/mngr#1872',
    right: { told: [], log: 'aside', branch: 'testing', shallow: 'true', tracks: 'origin/testing' },
    found: on(async bench => ({
      ...(await cloned(bench, folder => aside(bench, folder, 'refs/heads/testing'), { ref: 'testing', depth: 1 })),
      shallow: bench.inside('rev-parse', '--is-shallow-repository'),
      tracks: bench.inside('rev-parse', '--abbrev-ref', '@{upstream}'),
    })),
  },
  {
    input: 'a clone without the contents of old files',
    report: 'microsoft/vscode-remote-release#7938',
    right: { told: [], log: 'second', branch: 'main', missing: 1 },
    found: on(async bench => ({
      ...(await cloned(bench, folder => bench.commit(folder, 'second'), { filter: 'blob:none' })),
      missing: bench
        .inside('rev-list', '--objects', '--all', '--missing=print')
        .split('\n')
        .filter(line => line[0] === '?').length,
    })),
  },
  {
    input: 'a branch that is not there',
    report: 'asdf-vm/asdf#1768',
    right: {
      told: [
        'The repository has no branch, tag or commit "v0.14.0". "main" was checked out instead; run "git switch" with another branch in the instance.',
      ],
      ...{ log: 'first', branch: 'main' },
    },
    found: on(bench => cloned(bench, () => {}, { ref: 'v0.14.0' })),
  },
  {
    input: 'a default branch that is not there, beside one that is',
    report: 'hayatoito/google-step-tsp-2017#3',
    right: {
      told: ['The default branch "master" is not there; its only branch, "gh-pages", was checked out.'],
      ...{ log: 'first', branch: 'gh-pages' },
    },
    found: on(bench =>
      cloned(bench, folder => {
        bench.git(folder, 'branch', '--quiet', '-m', 'gh-pages');
        bench.git(folder, 'symbolic-ref', 'HEAD', 'refs/heads/master');
      }),
    ),
  },
  {
    input: 'a default branch that is not there, beside several',
    report: 'Hightor/gitinfo2#4',
    right: {
      told: [
        'The default branch "master" of the repository is not there, so nothing was checked out. It has "CTAN", "develop". Run "git switch" with one of them in the instance.',
      ],
      branches: ['origin/CTAN', 'origin/develop'],
    },
    found: on(async bench => {
      const { told } = await cloned(bench, folder => {
        bench.git(folder, 'branch', '--quiet', '-m', 'CTAN');
        bench.git(folder, 'branch', '--quiet', 'develop');
        bench.git(folder, 'symbolic-ref', 'HEAD', 'refs/heads/master');
      });
      return { told, branches: bench.inside('branch', '--remotes', '--format=%(refname:short)').split('\n') };
    }),
  },
  {
    input: 'a repository with nothing in it yet',
    report: 'coder/modules#260',
    right: { told: [], remote: 'http://host/repo.git' },
    found: on(async bench => {
      mkdirSync(bench.at('origin'));
      bench.git(bench.at('origin'), 'init', '--quiet');
      const server = await bench.serve(bench.at('origin'));
      const told = await bench.fill({ kind: 'git', url: server.url });
      return { told, remote: bench.inside('remote', 'get-url', 'origin').replace(server.origin, 'http://host') };
    }),
  },
  {
    input: 'submodules that have submodules',
    report: 'microsoft/vscode-remote-release#5569',
    right: { told: [], files: [true, true] },
    found: on(async bench => {
      const { url } = await withSubmodules(bench, origin => ({
        lib: '../library.git',
        'deep er/lib': `${origin}/library.git`,
      }));
      const told = await bench.fill({ kind: 'git', url });
      return { told, files: [bench.has('lib/inner/file'), bench.has('deep er/lib/inner/file')] };
    }),
  },
  {
    input: 'a submodule whose commit was never pushed, beside one that was',
    report: 'living-room/living-room#39',
    right: {
      told: [
        expect.stringMatching(
          /^Submodule gone is empty: .*http:\/\/host\/nowhere\.git.* Run "git submodule update --init --recursive" in the instance when that is mended\.$/,
        ),
      ],
      files: [true, true, false],
    },
    found: on(async bench => {
      const { url } = await withSubmodules(bench, origin => ({ gone: `${origin}/nowhere.git`, lib: '../library.git' }));
      const told = await bench.fill({ kind: 'git', url });
      return { told, files: [bench.has('.gitmodules'), bench.has('lib', 'file'), bench.has('gone', 'file')] };
    }),
  },
  {
    input: 'submodules of the same host by ssh, as in a private repository',
    report: 'gitpod-io/gitpod#401',
    right: { told: [], files: [true, true], asked: 1 },
    found: on(async bench => {
      bench.token = 'secret';
      const { url } = await withSubmodules(
        bench,
        () => ({ one: 'git@127.0.0.1:library.git', two: 'ssh://git@127.0.0.1/library.git' }),
        { password: 'secret' },
      );
      const told = await bench.fill({ kind: 'git', url });
      return { told, files: [bench.has('one', 'file'), bench.has('two', 'file')], asked: bench.asked.length };
    }),
  },
  {
    input: 'a submodule of another host by ssh',
    report: 'ActivityWatch/aw-watcher-web#73',
    right: {
      told: [
        'Submodule lib is empty: it is reached by ssh, and only what the repository itself is reached by is used. Run "git submodule update --init --recursive" in the instance when that is mended.',
      ],
      files: true,
    },
    found: on(async bench => {
      const { url } = await withSubmodules(bench, () => ({ lib: 'git@example.org:a/b.git' }));
      return { told: await bench.fill({ kind: 'git', url }), files: bench.has('.gitmodules') };
    }),
  },
  {
    input: 'private submodules of a public repository',
    report: 'microsoft/vscode#109050',
    right: { told: [], files: [true, true], asked: 1, clones: 1 },
    found: on(async bench => {
      bench.token = 'secret';
      const options = { password: 'secret', private: '/library.git' };
      const server = await withSubmodules(bench, () => ({ one: '../library.git', two: '../library.git' }), options);
      const told = await bench.fill({ kind: 'git', url: server.url });
      const clones = server.requests.filter(({ url }) => url.startsWith('/repo.git/info/refs')).length;
      return { told, files: [bench.has('one', 'file'), bench.has('two', 'file')], asked: bench.asked.length, clones };
    }),
  },
  {
    input: 'the same without an account that opens them',
    report: 'PrefectHQ/prefect#15473',
    right: {
      told: [
        'Submodule one is empty: it is private, or is not there, and no credential of yours opens it. Run "git submodule update --init --recursive" in the instance when that is mended.',
      ],
      files: true,
    },
    found: on(async bench => {
      const options = { password: 'secret', private: '/library.git' };
      const { url } = await withSubmodules(bench, () => ({ one: '../library.git' }), options);
      return { told: await bench.fill({ kind: 'git', url }), files: bench.has('.gitmodules') };
    }),
  },
  {
    input: 'a private submodule of another host, which gets no credential',
    report: 'SwissDataScienceCenter/amalthea#1212',
    right: { passwords: [], asked: 1, files: true },
    found: on(async bench => {
      bench.token = 'secret';
      const other = await bench.serve(bench.repository('other'), { password: 'another' });
      const { url } = await withSubmodules(bench, () => ({ lib: other.url }), { password: 'secret' });
      await bench.fill({ kind: 'git', url });
      return { passwords: other.passwords, asked: bench.asked.length, files: bench.has('.gitmodules') };
    }),
  },
  {
    input: 'a private repository',
    report: 'microsoft/vscode-remote-release#6564',
    right: { told: [], asked: 1, file: true },
    found: on(async bench => {
      bench.token = 'secret';
      const { url } = await bench.serve(bench.repository('origin'), { password: 'secret' });
      return { told: await bench.fill({ kind: 'git', url }), asked: bench.asked.length, file: bench.has('file') };
    }),
  },
  {
    input: 'large files, in an image without git-lfs',
    report: 'gitpod-io/gitpod#6598',
    right: {
      told: [
        '1 large file is only a pointer: git-lfs is not in this instance. Install it, as by "apt-get install git-lfs", and run "git lfs install && git lfs pull" there.',
      ],
      ...{ log: 'large', branch: 'main' },
    },
    found: on(bench => cloned(bench, folder => largeFile(bench, folder))),
  },
  {
    input: 'large files, in an image with git-lfs',
    report: 'gitpod-io/gitpod#18458',
    right: { told: [], content: 'large' },
    found: on(async bench => {
      largeFile(bench, bench.repository('origin'));
      const { url } = await bench.serve(bench.at('origin'));
      const variables = bench.program(
        'git-lfs',
        '[ "$1" = install ] || printf large >"$(git rev-parse --show-toplevel)/large.bin"',
      );
      const told = await bench.fill({ kind: 'git', url }, variables);
      return { told, content: readFileSync(bench.workspace('large.bin'), 'utf8') };
    }),
  },
  {
    input: 'large files that the server has lost',
    report: 'git-lfs/git-lfs#3525',
    right: {
      told: [
        '1 large file is only a pointer: [0000] Object does not exist on the server: [404] Object does not exist on the server error: failed to fetch some objects. Run "git lfs pull" in the instance when that is mended.',
      ],
      file: true,
    },
    found: on(async bench => {
      largeFile(bench, bench.repository('origin'));
      const { url } = await bench.serve(bench.at('origin'));
      const lost = '[0000] Object does not exist on the server: [404] Object does not exist on the server';
      const said = `printf '%s\\n' '${lost}' 'error: failed to fetch some objects' >&2; exit 2`;
      const variables = bench.program('git-lfs', `[ "$1" != install ] || exit 0; ${said}`);
      return { told: await bench.fill({ kind: 'git', url }, variables), file: bench.has('file') };
    }),
  },
];

fieldSuite('Folders as sources', copies);
fieldSuite('Clones as sources', clones);
