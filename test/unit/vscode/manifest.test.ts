import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { InstanceStatus } from '../../../src/model/instance.ts';
import { statusTexts } from '../../../src/operations/statusTexts.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { rowOf } from '../../../src/vscode/instanceRows.ts';
import { record } from './rowFacts.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const manifest = JSON.parse(read('package.json'));
const { contributes, capabilities } = manifest;
const english: Record<string, string> = JSON.parse(read('package.nls.json'));
const german: Record<string, string> = JSON.parse(read('package.nls.de.json'));

interface MenuItem {
  command: string;
  when?: string;
  group?: string;
}
const menus: [string, MenuItem][] = Object.entries<MenuItem[]>(contributes.menus).flatMap(([menu, items]) =>
  items.map((item): [string, MenuItem] => [menu, item]),
);
const commands: { command: string; title: string; category?: string; icon?: string }[] = contributes.commands;
const registered = [...read('src/vscode/commands/commandTable.ts').matchAll(/\bcommand\('(\w+)'/g)].map(
  ([, name]) => `remoteSwarm.${name}`,
);
const destructive = [
  'remoteSwarm.delete',
  'remoteSwarm.deletePermanently',
  'remoteSwarm.forget',
  'remoteSwarm.deleteSnapshot',
  'remoteSwarm.removeStrayHomes',
  'remoteSwarm.removeSwarm',
  'remoteSwarm.cleanUpMigration',
];

describe('the commands', () => {
  test('are those of the table, in its order', () => {
    expect(commands.map(({ command }) => command)).toEqual(registered);
  });

  test('have one category, an icon and a palette decision each', () => {
    expect(commands.filter(({ category, icon }) => category !== 'Remote Swarm' || !icon)).toEqual([]);
    const decided = contributes.menus.commandPalette.map(({ command }: MenuItem) => command);
    expect(decided).toEqual(registered);
  });
});

describe('the menus', () => {
  test('name commands that exist, and every item says when', () => {
    expect(menus.filter(([, { command, when }]) => !registered.includes(command) || !when)).toEqual([]);
  });

  test('put what destroys into a group of its own, the last one', () => {
    for (const [menu, { command, group }] of menus.filter(([menu]) => menu !== 'commandPalette')) {
      expect(`${menu} ${command} ${group?.startsWith('9_destructive') ?? false}`).toBe(
        `${menu} ${command} ${destructive.includes(command)}`,
      );
    }
  });

  test.each(InstanceStatus.options)('a row that is %s shows Open, and Start or Stop, only where they work', status => {
    const { contextValue } = rowOf(
      { kind: 'instance', record: record(1, { status }) },
      { t: inEnglish, locale: 'en', statusTexts: statusTexts(inEnglish), showProvider: false, canAttach: () => false },
    );
    const matches = ({ when = '' }: MenuItem) => {
      const pattern = /viewItem =~ \/(.*?)\/(?: |$)/.exec(when)?.[1];
      return pattern !== undefined && new RegExp(pattern).test(contextValue);
    };
    const inline = menus
      .filter(([menu, item]) => menu === 'view/item/context' && item.group?.startsWith('inline') && matches(item))
      .map(([, { command }]) => command.replace('remoteSwarm.', ''));
    const expected: Partial<Record<InstanceStatus, string[]>> = {
      running: ['open', 'stop'],
      starting: ['stop'],
      stopped: ['start'],
      failed: ['start'],
      trashed: ['restore'],
    };
    expect(inline).toEqual(expected[status] ?? []);
  });

  test('the Delete key works only on our view, and not while typing', () => {
    expect(contributes.keybindings).toHaveLength(1);
    expect(contributes.keybindings[0].when).toBe('focusedView == remoteSwarm.instances && !inputFocus');
  });
});

describe('views, settings and the rest', () => {
  test('one container, at most four views, and a welcome text for every state without rows', () => {
    expect(contributes.viewsContainers.activitybar).toHaveLength(1);
    expect(contributes.views.remoteSwarm.length).toBeLessThanOrEqual(4);
    const view = read('src/vscode/instancesView.ts');
    const [, union = ''] = /type WelcomeState = ([^;]+);/.exec(view) ?? [];
    const states = [...union.matchAll(/'(\w+)'/g)].map(([, state]) => state).filter(state => state !== 'rows');
    const welcomed = contributes.viewsWelcome.map(({ when }: MenuItem) => /== (\w+)/.exec(when ?? '')?.[1]);
    expect(states.filter(state => state !== 'loading' && !welcomed.includes(state))).toEqual([]);
  });

  test('every setting has a default, a markdown description and a scope that no workspace can set', () => {
    const settings: [string, Record<string, unknown>][] = Object.entries(contributes.configuration.properties);
    for (const [key, setting] of settings) {
      expect({ key, ...setting }).toMatchObject({
        scope: 'application',
        markdownDescription: /^%.*%$/.exec(String(setting.markdownDescription))?.[0],
      });
      expect(setting).toHaveProperty('default');
    }
    const enums = [...JSON.stringify(contributes.configuration).matchAll(/"enum":\[[^\]]*\](.{0,40})/g)];
    expect(enums.filter(([, after]) => !after?.includes('markdownEnumDescriptions'))).toEqual([]);
  });

  test('nothing starts before it is needed, and trust is declared', () => {
    // A panel that was left open has no other way to ask for us.
    expect(manifest.activationEvents).toEqual(['onWebviewPanel:remoteSwarm.healthHistory']);
    expect(manifest).not.toHaveProperty('enabledApiProposals');
    expect(capabilities.untrustedWorkspaces.supported).toBe('limited');
    const known = Object.keys(contributes.configuration.properties);
    const { restrictedConfigurations } = capabilities.untrustedWorkspaces;
    expect(restrictedConfigurations.filter((key: string) => !known.includes(key))).toEqual([]);
    expect(capabilities.virtualWorkspaces).toBe(true);
  });

  test('the walkthrough has four to six steps, each with an action, a picture that is there, and an end', () => {
    const [{ steps }] = contributes.walkthroughs;
    expect(steps.length).toBeGreaterThanOrEqual(4);
    expect(steps.length).toBeLessThanOrEqual(6);
    for (const { id, media, description, completionEvents } of steps) {
      expect([id, existsSync(path.join(root, media.svg))]).toEqual([id, true]);
      expect(english[description.slice(1, -1)]).toMatch(/\(command:/);
      expect(completionEvents.length).toBeGreaterThan(0);
      expect(read(media.svg)).toContain('var(--vscode-');
    }
  });
});

describe('the texts', () => {
  const used = new Set([...read('package.json').matchAll(/"%([\w.]+)%"/g)].map(([, key]) => key));

  test('every key is there in both languages, and none is left over', () => {
    expect(Object.keys(english).toSorted()).toEqual([...used].toSorted());
    expect(Object.keys(german).toSorted()).toEqual([...used].toSorted());
  });

  test('every title, description and content is a key', () => {
    const spelled = [
      ...read('package.json').matchAll(/"(?:title|markdownDescription|contents|altText)": "(?!%)([^"]+)"/g),
    ];
    expect(spelled.map(([, text]) => text)).toEqual(['Remote Swarm']);
  });

  test('links run commands that exist, the same in both languages', () => {
    const links = (text = '') => [...text.matchAll(/\(command:([\w.]+)/g)].map(([, command]) => command ?? '');
    for (const key of Object.keys(english)) {
      expect([key, links(german[key])]).toEqual([key, links(english[key])]);
      const ours = links(english[key]).filter(
        command => command.startsWith('remoteSwarm.') && !command.endsWith('.focus'),
      );
      expect(ours.filter(command => !registered.includes(command))).toEqual([]);
    }
  });
});
