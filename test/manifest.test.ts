import { existsSync, globSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { generatedContributes, securityFile, withOperations } from '../scripts/manifest.ts';
import { agentOperations, catalog } from '../src/operations/catalog.ts';

const root = path.resolve(import.meta.dirname, '..');
const read = (file: string) => JSON.parse(readFileSync(path.join(root, file), 'utf8'));

interface MenuItem {
  command?: string;
  submenu?: string;
  when?: string;
  group?: string;
}
interface Command {
  command: string;
  title: string;
  category?: string;
  icon?: string;
}
interface Setting {
  default?: unknown;
  markdownDescription?: string;
  scope?: string;
}

const manifest = read('package.json');
const contributes = manifest.contributes ?? {};
const commands: Command[] = contributes.commands ?? [];
const menus: Record<string, MenuItem[]> = contributes.menus ?? {};
const menuItems = Object.entries(menus).flatMap(([menu, items]) => items.map(item => ({ menu, ...item })));
const settings: Record<string, Setting> = contributes.configuration?.properties ?? {};
const translations = ['package.nls.json', 'package.nls.de.json'].filter(file => existsSync(path.join(root, file)));

/** Every text of the manifest that people see, with where it is. */
function texts(value: unknown, at: string): { at: string; key: string; text: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const here = `${at}.${key}`;
    const shown = /^(title|displayName|userDescription|description|markdownDescription|contents|altText|name)$/.test(
      key,
    );
    if (shown && typeof member === 'string') return [{ at: here, key, text: member }];
    if (/EnumDescriptions$|^enumDescriptions$/.test(key) && Array.isArray(member)) {
      return member.map((text: string, index) => ({ at: `${here}.${index}`, key, text }));
    }
    return texts(member, here);
  });
}

/** Members that are for programs: the tools' own schemas and names. */
const { languageModelTools, ...seen } = contributes;
const people = [
  ...texts(seen, 'contributes'),
  ...(languageModelTools ?? []).flatMap(({ displayName, userDescription }: Record<string, string>, index: number) =>
    texts({ displayName, userDescription }, `contributes.languageModelTools.${index}`),
  ),
];

/** All objects below a value. */
function objects(value: unknown): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(objects)];
}

describe('package.json', () => {
  test('says what the catalog and the settings say (else: node scripts/manifest.ts --write)', () => {
    expect(contributes).toMatchObject(generatedContributes(manifest));
    const generated = generatedContributes(manifest);
    for (const key of Object.keys(generated)) expect(contributes[key], key).toEqual(generated[key]);
  });

  test('the page about security tells every operation, and what the catalog says of it (else: npm run manifest)', () => {
    const page = readFileSync(securityFile, 'utf8');
    expect(withOperations(page)).toBe(page);
    for (const { name } of catalog) expect(page).toContain(`\`${name}\``);
  });

  test('what agents may do is undone by a person, or asked; what destroys says what', () => {
    const never = agentOperations.filter(({ undo }) => undo === 'never');
    // What nothing brings back is asked and counted by the gate; that no operation of agents is like that for every input is our choice.
    expect(never.map(({ name }) => name)).toEqual([]);
    for (const { name, effect, destroys, undo } of catalog) {
      if (effect === 'destroy') expect([name, destroys]).not.toEqual([name, 'nothing']);
      if (effect === 'read') expect([name, destroys, undo]).toEqual([name, 'nothing', 'nothing']);
      if (destroys !== 'nothing') expect([name, undo]).not.toEqual([name, 'nothing']);
    }
  });

  test('the chat tools are described for a model and for a person, and fit what VS Code takes', () => {
    for (const tool of contributes.languageModelTools) {
      expect(tool.name).toMatch(/^(?!copilot_|vscode_)[\w-]+$/);
      expect(tool.toolReferenceName).toMatch(/^[\w-]+$/);
      expect(tool.inputSchema.type).toBe('object');
      expect(tool.modelDescription).toMatch(/Returns? |Tells /);
      expect(tool.modelDescription.length).toBeLessThan(1024);
      for (const [name, field] of Object.entries<{ description?: string }>(tool.inputSchema.properties)) {
        expect(field.description, `${tool.name}.${name}`).toMatch(/\.$/);
      }
      const keywords = objects(tool.inputSchema).flatMap(Object.keys);
      for (const refused of ['$ref', 'allOf', 'oneOf', '$schema', 'definitions', '$defs'])
        expect(keywords).not.toContain(refused);
    }
    expect(contributes.languageModelTools).toHaveLength(agentOperations.length);
  });

  test('what destroys or runs commands is never approved without a person', () => {
    const eligible = contributes.configurationDefaults['chat.tools.eligibleForAutoApproval'];
    expect(eligible).toEqual({
      'remote-swarm.remote-swarm/deleteSwarmInstance': false,
      'remote-swarm.remote-swarm/runInInstance': false,
    });
  });

  test('every menu item has a condition, and names a command that exists', () => {
    const known = new Set(commands.map(({ command }) => command));
    expect(menuItems.length).toBeGreaterThan(0);
    expect(menuItems.filter(({ when }) => !when)).toEqual([]);
    expect(menuItems.filter(({ command }) => command !== undefined && !known.has(command))).toEqual([]);
  });

  test('every command has our category, a title, and a decision about the palette', () => {
    expect(commands.length).toBeGreaterThan(0);
    expect(new Set(commands.map(({ category }) => category))).toEqual(new Set([commands[0]?.category]));
    const category =
      read('package.nls.json')[(commands[0]?.category ?? '').replaceAll('%', '')] ?? commands[0]?.category;
    expect(category).toBe('Remote Swarm');
    const decided = new Set((menus.commandPalette ?? []).map(({ command }) => command));
    expect(commands.filter(({ command }) => !decided.has(command))).toEqual([]);
  });

  test('every inline and title action has an icon', () => {
    const shown = menuItems.filter(
      ({ menu, group }) => group?.startsWith('inline') || (menu === 'view/title' && group?.startsWith('navigation')),
    );
    const withIcon = new Set(commands.filter(({ icon }) => icon).map(({ command }) => command));
    expect(shown.filter(({ command }) => command !== undefined && !withIcon.has(command))).toEqual([]);
  });

  test('what destroys stands last, in a group of its own', () => {
    const groups = (menus['view/item/context'] ?? []).map(({ group = '' }) => group.split('@')[0] ?? '');
    const destructive = groups.filter(group => /destr/.test(group));
    expect(destructive.length).toBeGreaterThan(0);
    const others = groups.filter(group => !/destr|^inline/.test(group));
    for (const group of others) expect(group < (destructive[0] ?? '')).toBe(true);
    const deletes = (menus['view/item/context'] ?? []).filter(({ command }) =>
      /delete|purge|remove/i.test(command ?? ''),
    );
    expect(deletes.filter(({ group }) => !/destr|^inline/.test(group ?? ''))).toEqual([]);
    expect(deletes.filter(({ group }) => group?.startsWith('inline'))).toEqual([]);
  });

  test('every setting has a default, a markdown description and a scope; every value of an enum is described', () => {
    expect(Object.keys(settings).length).toBeGreaterThan(0);
    for (const [key, setting] of Object.entries(settings)) {
      expect(key).toMatch(/^remoteSwarm\.((health|migration|snapshots)\.)?\w+$/);
      expect(setting.default, key).toBeDefined();
      expect(setting.markdownDescription, key).toMatch(/^%.+%$/);
      expect(setting.scope, key).toMatch(/^(application|machine)$/);
      for (const schema of objects(setting).filter(one => Array.isArray(one.enum))) {
        const described = schema.markdownEnumDescriptions ?? schema.enumDescriptions;
        expect(described, key).toHaveLength((schema.enum as unknown[]).length);
      }
    }
  });

  test('one container and at most four views, with welcome texts', () => {
    const containers = Object.values(contributes.viewsContainers ?? {}).flat();
    const views = Object.values(contributes.views ?? {}).flat();
    expect(containers).toHaveLength(1);
    expect(views.length).toBeGreaterThan(0);
    expect(views.length).toBeLessThanOrEqual(4);
    expect(contributes.viewsWelcome?.length).toBeGreaterThan(0);
  });

  test('one walkthrough of four to six steps, whose pictures are SVG files in the package', () => {
    const walkthroughs: { steps: { media: { svg?: string; image?: string } }[] }[] = contributes.walkthroughs ?? [];
    expect(walkthroughs).toHaveLength(1);
    const steps = walkthroughs[0]?.steps ?? [];
    expect(steps.length).toBeGreaterThanOrEqual(4);
    expect(steps.length).toBeLessThanOrEqual(6);
    for (const { media } of steps) {
      expect(media.svg).toMatch(/\.svg$/);
      expect(existsSync(path.join(root, media.svg ?? ''))).toBe(true);
    }
  });

  test('it loads with the user or the workspace, limited without trust, also in virtual workspaces', () => {
    expect(manifest.extensionKind.toSorted()).toEqual(['ui', 'workspace']);
    expect(manifest.capabilities?.untrustedWorkspaces?.supported).toBe('limited');
    expect(manifest.capabilities?.virtualWorkspaces).toBe(true);
    // Nothing else starts us before we are needed; a panel that was left open has no other way to ask.
    expect(manifest.activationEvents).toEqual(['onWebviewPanel:remoteSwarm.healthHistory']);
    expect(manifest.enabledApiProposals).toBeUndefined();
  });
});

describe('the texts of package.json', () => {
  test('are keys that every translation has, and no translation has others', () => {
    expect(translations).toEqual(['package.nls.json', 'package.nls.de.json']);
    const named = people.filter(({ key, text }) => !(key === 'name' && !/^%/.test(text)));
    expect(named.filter(({ text }) => !/^%[\w.-]+%$/.test(text) && text !== 'Remote Swarm')).toEqual([]);
    const keys = new Set(
      JSON.stringify(manifest)
        .match(/%[\w.-]+%/g)
        ?.map(key => key.slice(1, -1)),
    );
    for (const file of translations) {
      expect(Object.keys(read(file)).toSorted(), file).toEqual([...keys].toSorted());
      expect(Object.entries(read(file)).filter(([, text]) => typeof text !== 'string' || text.trim() === '')).toEqual(
        [],
      );
    }
  });

  test('the tools are called in English as the catalog calls them', () => {
    const nls = read('package.nls.json');
    for (const { name, title } of agentOperations) expect(nls[`tool.${name}.displayName`]).toBe(title);
  });

  test('the translation of the code has every text that is looked up, and no others', () => {
    const literal = /(?<![\w.])(?:t|translate)\(\s*(?:'((?:[^'\\]|\\.)*)'|`([^`$]*)`)/g;
    const used = new Set(
      globSync('src/{vscode,operations}/**/*.ts', { cwd: root })
        .concat(globSync('src/*.ts', { cwd: root }))
        .flatMap(file => [...readFileSync(path.join(root, file), 'utf8').matchAll(literal)])
        .map(match => (match[1] ?? match[2] ?? '').replace(/\\(.)/g, '$1')),
    );
    const german: Record<string, string> = read('l10n/bundle.l10n.de.json');
    expect(Object.keys(german).toSorted()).toEqual([...used].toSorted());
    const placeholders = (text: string) => (text.match(/\{\d\}/g) ?? []).toSorted();
    for (const [english, translated] of Object.entries(german)) {
      expect(placeholders(translated), english).toEqual(placeholders(english));
    }
  });
});
