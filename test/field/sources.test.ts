import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import * as path from 'node:path';
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

fieldSuite('Folders as sources', copies);
