// The processor: fetches all texts from the source, counts their words and serves the ranking, GET /ranking.
import { createServer } from 'node:http';

const { SOURCE = 'http://localhost:18061', PORT = '18062', HOST = '127.0.0.1' } = process.env;

async function rank() {
  const counts = new Map();
  for (const name of await (await fetch(`${SOURCE}/documents`)).json()) {
    const text = await (await fetch(`${SOURCE}/documents/${encodeURIComponent(name)}`)).text();
    for (const [word] of text.toLowerCase().matchAll(/\p{L}+/gu)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
}

const ranking = await rank();
console.log(`ranked ${ranking.length} words from ${SOURCE}`);

const server = createServer(({ url }, response) => {
  if (url === '/health') response.end('ok');
  else if (url === '/ranking') response.end(JSON.stringify(ranking));
  else response.writeHead(404).end();
}).listen(Number(PORT), HOST);

process.on('SIGTERM', () => {
  console.log('processor leaves');
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
