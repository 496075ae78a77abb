import { createProcessManager } from 'mimas';
for (const isolation of ['none','worker','child']) for (const transport of ['ipc','unix','tcp','ws']) {
  const pm = createProcessManager({ isolation, transport });
  const t=performance.now();
  const calc = await pm.spawn('processes/calculator.process.ts');
  const up=performance.now()-t;
  const out=[await calc.add(5,3)];
  for await (const n of calc.countTo(3)) out.push(n);
  try { await calc.divide(1,0) } catch (e) { out.push(e instanceof RangeError, e.message); if(transport==='ipc') console.log(e.stack) }
  try { await calc.ad(1,0) } catch (e) { out.push(e.code, e.suggestion) }
  const h=await calc.$handle.health(); const m=await pm.getMetrics(calc);
  console.log(isolation, transport, up.toFixed(0)+'ms', ...out, h.status, h.checks.length, m.requests, m.errors, m.latency.p50, (m.memory/1e6).toFixed(0)+'MB');
  const s=performance.now(); await pm.shutdown(); console.log('  shutdown', (performance.now()-s).toFixed(0));
}
