// A language model that follows a script, so that the built-in agent mode can be driven offline and signed out. The
// file SCRIPTED_MODEL holds `{ "<script>": [{ "tool": …, "input": … }, …] }`. A prompt "script <name> attempt <n>"
// calls the tools in turn, one a round; the text "$id:<name>" in an input becomes the id that a tool's result gave for
// that name, and "$move:<name>" that of its migration. Every result that the model gets is appended to SCRIPTED_MODEL.log, one JSON line each.
// @ts-nocheck: the floor of our own API knows no language model providers
const fs = require('node:fs');
const vscode = require('vscode');

const file = process.env.SCRIPTED_MODEL;
const log = entry => fs.appendFileSync(`${file}.log`, `${JSON.stringify(entry)}\n`);

exports.activate = context => {
  context.subscriptions.push(
    vscode.lm.registerLanguageModelChatProvider('scripted', {
      provideLanguageModelChatInformation: () => [information],
      provideLanguageModelChatResponse: respond,
      provideTokenCount: async () => 1,
    }),
    vscode.commands.registerCommand('scriptedModel.run', run),
  );
};

const information = {
  id: 'scripted',
  name: 'Scripted Model',
  family: 'scripted',
  version: '1',
  maxInputTokens: 1_000_000,
  maxOutputTokens: 10_000,
  capabilities: { toolCalling: true },
  isUserSelectable: true,
  isDefault: true,
};

/** The prompt that is followed; one that was sent again is not followed twice. */
let prompt = { attempt: 0, followed: false };

/**
 * The chat of a fresh profile is off until somebody signs in; switching all extensions on takes the place of that. A
 * window that is still starting may lose a prompt, or send it without our tools: then it is sent again.
 */
async function run() {
  const name = await vscode.window.showInputBox({ title: 'Which script?' });
  const chat = () => vscode.extensions.getExtension('GitHub.copilot-chat');
  if (!chat()) await vscode.commands.executeCommand('workbench.extensions.action.enableAll');
  await holds(() => chat()?.isActive);
  await holds(async () => (await vscode.lm.selectChatModels({ vendor: 'scripted' })).length > 0);
  do {
    prompt = { attempt: prompt.attempt + 1, followed: false };
    await vscode.commands.executeCommand('workbench.action.chat.newChat');
    await vscode.commands.executeCommand('workbench.action.chat.open', {
      query: `script ${name} attempt ${prompt.attempt}`,
      mode: 'agent',
      modelSelector: { vendor: 'scripted' },
    });
  } while (!(await holds(() => prompt.followed, 20_000)) && prompt.attempt < 5);
}

/** Whether the condition holds before the time, in milliseconds, is over. */
async function holds(condition, time = 60_000) {
  const deadline = performance.now() + time;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  return true;
}

async function respond(_model, messages, options, progress) {
  const parts = messages.flatMap(({ content }) => (typeof content === 'string' ? [{ value: content }] : content));
  const asked = parts.map(textOf).join('\n');
  const [, name, attempt] = [...asked.matchAll(/script (\w+) attempt (\d+)/g)].at(-1) ?? [];
  const steps = Number(attempt) === prompt.attempt ? JSON.parse(fs.readFileSync(file, 'utf8'))[name] : undefined;
  const tools = new Set(options.tools?.map(tool => tool.name));
  const results = parts.filter(part => part instanceof vscode.LanguageModelToolResultPart);
  const step = steps?.[results.length];
  if (results.length > 0) log({ name, step: results.length, result: results.at(-1).content.map(textOf).join('') });
  if (step && tools.has(step.tool)) {
    prompt.followed = true;
    const input = withIds(step.input, results.flatMap(({ content }) => content.map(textOf)).join('\n'));
    progress.report(new vscode.LanguageModelToolCallPart(`${name}-${results.length}`, step.tool, input));
  } else {
    // A request without our tools asks for nothing but a title.
    progress.report(new vscode.LanguageModelTextPart(step && tools.size > 0 ? `There is no ${step.tool}.` : 'Done.'));
    if (steps && results.length === steps.length) log({ name, end: true });
  }
}

const textOf = part => (typeof part?.value === 'string' ? part.value : '');

/** Puts ids in the place of names, as a model that has read the results would. */
function withIds(input, seen) {
  const id = '"id":"([a-z0-9]{12})"';
  const idIn = (...parts) => new RegExp(parts.join(',')).exec(seen)?.[1] ?? 'an id that no result gave';
  const text = JSON.stringify(input)
    .replace(/\$id:([\w ]+)/g, (_, name) => idIn(id, `"name":"${name}"`))
    .replace(/\$move:([\w ]+)/g, (_, name) => idIn(id, '"instanceId":"\\w+"', `"instance":"${name}"`));
  return JSON.parse(text);
}
