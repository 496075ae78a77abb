// The source: reads the texts of a folder and serves them, GET /documents and GET /documents/<name>.
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const { CORPUS = '.', PORT = '18061', HOST = '127.0.0.1' } = process.env;
const documents = new Map(
  readdirSync(CORPUS)
    .filter((name) => name.endsWith('.md') || name.endsWith('.txt'))
    .map((name) => [name, readFileSync(join(CORPUS, name), 'utf8')]),
);

const server = createServer(({ url }, response) => {
  const name = decodeURIComponent(url.replace('/documents/', ''));
  if (url === '/health') response.end('ok');
  else if (url === '/documents') response.end(JSON.stringify([...documents.keys()]));
  else if (documents.has(name)) response.end(documents.get(name));
  else response.writeHead(404).end();
}).listen(Number(PORT), HOST, () => console.log(`${documents.size} documents at port ${PORT}`));

process.on('SIGTERM', () => {
  console.log('source leaves');
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
