// The two pages that show the contract, as a newcomer uses them: does what the pages say, with what they
// show, in real headless Chromium. Started by tests/it/explorer.rs, which says what there is in
// FILE_SHARE_BROWSER_TEST.
//
// Invariant: whatever goes from one step to the next is read from the page, the curl line for the one step
// that is no call of the API too.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Browser, LIMIT_MS, until } from './browser.mjs';

// {mode, service, store?}
const setup = JSON.parse(process.env.FILE_SHARE_BROWSER_TEST);
const run = promisify(execFile);
const HELLO = createHash('sha256').update('hello').digest('hex');

// When whoever started this goes, nothing must be left running. It isn't waited for.
process.stdin.on('end', () => process.exit(1)).resume();
process.stdin.unref?.();

let browser;
before(async () => (browser = await Browser.start(setup.mode)));
after(() => browser?.stop());

// What differs between the pages: how an operation is opened, filled in, and read.
const swaggerUi = {
  name: 'docs',
  async open(page, { id }) {
    const operation = page.locator(`#operations-Files-${id}`);
    const button = operation.locator('.opblock-summary-control');
    await button.click();
    await operation.locator('.execute').waitFor();
    return operation;
  },
  description: (operation) => operation.locator('.opblock-description-wrapper').first(),
  field: (operation, name) => operation.locator(`tr[data-param-name="${name}"] input`),
  execute: (operation) => operation.locator('.execute').click(),
  answer: (operation) => operation.locator('.live-responses-table tbody .highlight-code code').first(),
  status: (operation) => operation.locator('.live-responses-table tbody .response-col_status').first(),
  show: (operation, status) => operation.locator(`.responses-inner tr[data-code="${status}"]`).last().waitFor(),
  // Swagger UI offers an attachment as a file. The stand-in for S3 forgets that it is one where a version is
  // named, and then it is shown.
  async bytes(page, operation) {
    if (setup.mode === 'aws') {
      return (await swaggerUi.answer(operation).textContent()).trim();
    }
    const arrives = page.waitForEvent('download');
    await operation.getByRole('link', { name: 'Download file' }).click();
    return readFile(await (await arrives).path(), 'utf8');
  },
};

const explorer = {
  name: 'explorer',
  async open(page, { summary }) {
    await page.locator('.nav-bar-path').filter({ hasText: summary }).first().click();
    const operation = page.locator('.expanded-endpoint-body').filter({ hasText: summary });
    await operation.locator('.btn-execute').waitFor();
    return operation;
  },
  description: (operation) => operation,
  field: (operation, name) => operation.locator(`input[data-pname="${name}"]`),
  execute: (operation) => operation.locator('.btn-execute').click(),
  answer: (operation) => operation.locator('api-request .tab-content pre code').first(),
  status: (operation) => operation.locator('.response-message').first(),
  show: (operation, status) => operation.locator('api-response').getByText(status, { exact: true }).first().click(),
  async bytes(page, operation) {
    const shown = operation.locator('api-request .tab-content').filter({ visible: true });
    return (await shown.innerText()).replace('Copy', '').trim();
  },
};

const CREATE = { id: 'create_file', summary: 'Create a file' };
const DESCRIBE = { id: 'describe_file', summary: 'Describe a file' };
const DOWNLOAD = { id: 'download_file', summary: 'Download a file' };

// The answer as the page shows it, once it has the status that is expected.
async function executed(ui, operation, status) {
  await ui.execute(operation);
  await until(`${ui.name} shows ${status}`, async () => {
    const shown = (await ui.status(operation).count()) > 0 && (await ui.status(operation).textContent());
    return shown && shown.includes(status);
  });
}

async function json(ui, operation) {
  return JSON.parse(await ui.answer(operation).textContent());
}

// The line that the page says to paste, with the URL that the page shows.
async function paste(text, url) {
  const line = text.split('\n').find((each) => each.includes('curl -X PUT'));
  assert.ok(line, `no line to paste in: ${text}`);
  const command = line.trim().replace('UPLOAD_URL', url);
  await run('sh', ['-c', `${command} --silent --show-error --fail-with-body --max-time 60`]);
}

for (const ui of [swaggerUi, explorer]) {
  const origins = [setup.service, setup.store].filter(Boolean);

  test(`${ui.name}: create, send, describe, download`, { timeout: 3 * LIMIT_MS }, async () => {
    await browser.visit({ origins }, async (open) => {
      const page = await open(`${setup.service}/${ui.name}`);
      const create = await ui.open(page, CREATE);
      await executed(ui, create, '201');
      const first = await json(ui, create);
      assert.equal(first.status, 'pending');
      // The example works again, and gives another file.
      await ui.execute(create);
      const created = await until('another file', async () => {
        const shown = await json(ui, create).catch(() => first);
        return shown.id !== first.id && shown;
      });
      await browser.picture(page, `${ui.name}-created`);

      await paste(await ui.description(create).innerText(), created.upload.url);

      const describe = await ui.open(page, DESCRIBE);
      await ui.field(describe, 'id').fill(created.id);
      const wait = ui.field(describe, 'wait');
      if ((await wait.inputValue()) === '') {
        await wait.fill(await wait.getAttribute('placeholder'));
      }
      assert.equal(await wait.inputValue(), '20');
      await executed(ui, describe, '200');
      const record = await json(ui, describe);
      assert.deepEqual([record.id, record.status, record.sha256], [created.id, 'available', HELLO]);

      const download = await ui.open(page, DOWNLOAD);
      await ui.field(download, 'id').fill(created.id);
      await executed(ui, download, '200');
      assert.equal(await ui.bytes(page, download), 'hello');
      await browser.picture(page, `${ui.name}-downloaded`);
    });
  });

  test(`${ui.name}: a mistake is answered with its code, and the page has an example of it`, { timeout: 3 * LIMIT_MS }, async () => {
    await browser.visit({ origins }, async (open) => {
      const page = await open(`${setup.service}/${ui.name}`);
      const download = await ui.open(page, DOWNLOAD);
      await ui.field(download, 'id').fill('no-such-file');
      await executed(ui, download, '404');
      assert.equal((await json(ui, download)).code, 'file_not_found');
      await download.getByText('in the answer that created the file').waitFor();
      const contract = await (await fetch(`${setup.service}/openapi.json`)).json();
      const { responses } = contract.paths['/v1/files/{id}'].get;
      for (const [status, response] of Object.entries(responses)) {
        const { examples = {} } = response.content?.['application/problem+json'] ?? {};
        await ui.show(download, status);
        for (const code of Object.keys(examples)) {
          await download.getByText(code).filter({ visible: true }).first().waitFor();
        }
      }
    });
  });
}
