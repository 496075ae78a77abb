// The sink: takes the ranking, writes it to a file and serves it, GET /results. Healthy once the file is written.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const { COUNTER = 'http://localhost:18062', RESULTS = './results', PORT = '18063', HOST = '127.0.0.1' } = process.env;

const ranking = await (await fetch(`${COUNTER}/ranking`)).json();
const total = ranking.reduce((sum, [, count]) => sum + count, 0);
const results = { total, distinct: ranking.length, top: ranking.slice(0, 20).map(([word, count]) => ({ word, count })) };
mkdirSync(RESULTS, { recursive: true });
writeFileSync(join(RESULTS, 'ranking.json'), JSON.stringify(results, null, 2));
console.log(`wrote ${results.distinct} of ${total} words`);

const server = createServer(({ url }, response) => {
  if (url === '/health') response.end('ok');
  else if (url === '/results') response.end(JSON.stringify(results));
  else response.writeHead(404).end();
}).listen(Number(PORT), HOST);

process.on('SIGTERM', () => {
  console.log('sink leaves');
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
