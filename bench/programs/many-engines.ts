/** Many endpoints that answer as an idle llama-server does, until they are told to hang (SIGUSR2). Says their ports on its first line. */
import { createServer } from 'node:http';

const slots = JSON.stringify([
  { id: 0, is_processing: false },
  { id: 1, is_processing: false },
]);

let hanging = false;
process.on('SIGUSR2', () => {
  hanging = true;
});

const open = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer(({ url }, response) => {
      if (hanging) return;
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(url === '/slots' ? slots : '{"status":"ok"}');
    });
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (typeof address === 'object' && address !== null) resolve(address.port);
    });
  });

const ports = await Promise.all(Array.from({ length: Number(process.argv[2]) }, open));
process.stdout.write(`${ports.join(',')}\n`);
