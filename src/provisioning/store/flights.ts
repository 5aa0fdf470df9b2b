/**
 * One piece of work for however many want it in this process. Each of them hears how it goes and may leave; when the last has
 * left, the work is given up.
 */
import type { ProvisionPhase } from '../../machines/vocabulary.ts';
import type { JobReport } from '../jobs/job.ts';

export interface Passenger {
  readonly report: JobReport;
  readonly signal: AbortSignal;
}

export interface Flights<T> {
  join(key: string, passenger: Passenger, work: (report: JobReport, signal: AbortSignal) => Promise<T>): Promise<T>;
}

interface Flight<T> {
  readonly passengers: Set<JobReport>;
  readonly giveUp: AbortController;
  readonly landed: Promise<T>;
  phase: ProvisionPhase | null;
}

export const createFlights = <T>(): Flights<T> => {
  const flights = new Map<string, Flight<T>>();

  const begin = (key: string, work: (report: JobReport, signal: AbortSignal) => Promise<T>): Flight<T> => {
    const giveUp = new AbortController();
    const passengers = new Set<JobReport>();
    const report: JobReport = {
      phase: (phase) => {
        flight.phase = phase;
        for (const each of passengers) each.phase(phase);
      },
      progress: (done, total) => {
        for (const each of passengers) each.progress(done, total);
      },
    };
    const leave = (): void => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    const landed = Promise.resolve()
      .then(() => work(report, giveUp.signal))
      .finally(leave);
    const flight: Flight<T> = { passengers, giveUp, landed, phase: null };
    giveUp.signal.addEventListener('abort', leave, { once: true });
    flights.set(key, flight);
    return flight;
  };

  return {
    join: (key, { report, signal }, work) => {
      if (signal.aborted) return Promise.reject(signal.reason);
      const flight = flights.get(key) ?? begin(key, work);
      flight.passengers.add(report);
      if (flight.phase !== null) report.phase(flight.phase);
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          flight.passengers.delete(report);
          if (flight.passengers.size === 0) flight.giveUp.abort(signal.reason);
          reject(signal.reason);
        };
        signal.addEventListener('abort', leave, { once: true });
        flight.landed.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
      });
    },
  };
};
