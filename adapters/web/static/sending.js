// Questions on their way to the server. What is asked while an earlier question is still on its way waits for it, and goes on
// from its answer: so that nothing that was said in a row ever stands side by side.

import * as api from "./api.js";

export class Sending {
  #flights = new Map(); // a question's id → promise of the id of its answer; null: it was not taken

  constructor(graph) {
    this.graph = graph;
  }

  /**
   * Sends a question, or a command; `taken`: the server has it (what it stored is in the graph then).
   * Raises Trouble when the server could not be asked.
   */
  send(question) {
    const flight = this.#send(question, this.#flights.get(question.parent));
    const { id } = question;
    const landed = flight.then(
      ({ taken }) => (taken ? this.#answerTo(id) : null),
      () => null,
    );
    this.#flights.set(id, landed);
    landed.then(() => this.#flights.delete(id));
    return flight;
  }

  /** What is asked next stands behind the question, too, until it is sent: only an answer is meant. */
  #answerTo(id) {
    return this.graph.children(id).findLast((child) => this.graph.get(child).role === "bot") ?? id;
  }

  async #send(question, before) {
    const parent = before ? await before : question.parent;
    if (before && parent === null) return { taken: false };
    if (before && this.graph.get(question.id)) this.graph.put({ id: question.id, parent });
    const { messages, command } = await api.ask({ ...question, parent });
    this.graph.merge(messages);
    return { taken: command || messages.some(({ id }) => id === question.id) };
  }
}
