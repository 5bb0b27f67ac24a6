// An extension that tests install in an instance. The status bar shows a word which lies in the user's settings, so that
// one look tells that both are there: the extension and the setting.
// @ts-nocheck: a script of a test, on whatever VS Code it is installed in
const vscode = require('vscode');

exports.activate = context => {
  const item = vscode.window.createStatusBarItem();
  const show = () => {
    item.text = `Companion remembers ${vscode.workspace.getConfiguration('companion').get('word')}`;
    item.show();
  };
  const remember = async () => {
    const word = await vscode.window.showInputBox({ title: 'Which word?' });
    await vscode.workspace.getConfiguration('companion').update('word', word, vscode.ConfigurationTarget.Global);
  };
  context.subscriptions.push(
    item,
    vscode.commands.registerCommand('companion.remember', remember),
    vscode.workspace.onDidChangeConfiguration(show),
  );
  show();
};
