/** The server of the latency bench on the sockets of the kernel; the port is its argument. */
import { createServer } from 'node:net';
import { answer } from './answers.js';

const port = Number(process.argv[2]);
createServer({ noDelay: true }, answer).listen(port, () => console.log('listening'));
