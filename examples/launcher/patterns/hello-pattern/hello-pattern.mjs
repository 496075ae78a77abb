#!/usr/bin/env node
// The pattern of the quick start: an HTTP server that answers health checks on the port that the launcher gives it.
import { createServer } from 'node:http';

const { PATTERN_NAME, NAMESPACE, HEALTH_PORT, GRPC_PORT } = process.env;
console.log(`Starting ${PATTERN_NAME} pattern`);
console.log(`  Namespace: ${NAMESPACE}`);
console.log(`  Health port: ${HEALTH_PORT}`);
console.log(`  gRPC port: ${GRPC_PORT}`);

const server = createServer((request, response) => {
  response.writeHead(request.url === '/health' ? 200 : 404).end(`OK - ${PATTERN_NAME} is healthy\n`);
});
server.listen(Number(HEALTH_PORT), '127.0.0.1', () => console.log(`Health endpoint listening on :${HEALTH_PORT}`));
process.on('SIGTERM', () => {
  console.log('Shutdown signal received');
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
