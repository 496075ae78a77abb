// placeholder
import { ProcessOrchestrator } from './process-orchestrator.js';
export class ContainerOrchestrator extends ProcessOrchestrator { constructor(_: { rewriteLocalhost: boolean }) { super(); } }
