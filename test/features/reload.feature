@concurrent
Feature: Reload

  @ORCH-3038
  Scenario: The new engine comes up beside the old one, which is drained then: the pool is ready all the time
    Given a node
    And the pool "chat" is ready
    And the engine of pool "chat" is noted
    When the pool "chat" is ordered to reload with
      | slots | 4 |
    Then it is accepted
    And the reload of pool "chat" ends as reloaded
    And the pool "chat" shows
      | ready       | true |
      | slots_total | 4    |
      | device_mask | "0"    |
    And the engine of pool "chat" is another one
    And within the events of pool "chat" come, in order
      | ready             |
      | starting.spawning |
      | ready             |
      | draining.emptying |
      | draining.stopping |
      | ended             |

  @ORCH-3038
  Scenario: Where there is no room for both, the old engine is drained, the new one started, and the pool keeps its id and its GPUs
    Given a node
    And the pool "chat" is ready on its one port
    And the engine of pool "chat" is noted
    When the pool "chat" is ordered to reload with
      | slots | 4 |
    Then it is accepted
    And the reload of pool "chat" ends as reloaded
    And within the events of pool "chat" come, in order
      | ready             |
      | draining.emptying |
      | draining.stopping |
      | provisioning      |
      | ready             |
    And the engine of pool "chat" is another one
    And the pool "chat" comes to show
      | ready       | true |
      | slots_total | 4    |
      | device_mask | "0"    |

  Scenario: The same spec does nothing
    Given a node
    And the pool "chat" is ready
    And the engine of pool "chat" is noted
    When the pool "chat" is ordered to reload with
      | slots | 2 |
    Then it is accepted
    And the pool "chat" shows
      | ready | true |
    And the engine of pool "chat" is still the same

  @ORCH-3038
  Scenario: A new spec that does not come up is undone: the old one runs again
    Given a node
    And the pool "chat" is ready on its one port
    When the pool "chat" is ordered to reload with
      | new_model_ref | /nowhere/model.gguf |
    Then it is accepted
    And the reload of pool "chat" ends as rolled_back
    And the pool "chat" becomes ready
    And the pool "chat" shows
      | wanted | up |
    And the last error of pool "chat" is model_missing

  @ORCH-3038
  Scenario: A new spec that does not come up beside the old engine leaves that alone
    Given a node
    And the pool "chat" is ready
    And the engine of pool "chat" is noted
    When the pool "chat" is ordered to reload with
      | new_model_ref | /nowhere/model.gguf |
    Then it is accepted
    And the reload of pool "chat" ends as rolled_back
    And the engine of pool "chat" is still the same
    And the last error of pool "chat" is model_missing

  Scenario: While work is in flight, a reload can be taken back, and the original serves on
    Given a node
    And the pool "chat" is ready on its one port, whose engine writes slowly
    And the engine of pool "chat" is noted
    And 1 request of 25 tokens is under way at pool "chat"
    And the pool "chat" comes to show
      | active_leases | 1 |
    When the pool "chat" is ordered to reload with
      | slots | 4 |
    And the pool "chat" is ordered to reload with
      | slots | 5 |
    Then it is refused with 409 ILLEGAL_TRANSITION
    When the pool "chat" is ordered to resume
    Then the pool "chat" becomes ready
    And every request comes to its end
    And the engine of pool "chat" is still the same

  Scenario: A spec that is none is refused before anything is touched
    Given a node
    And the pool "chat" is ready
    And the engine of pool "chat" is noted
    When the pool "chat" is ordered to reload with
      | slots | many |
    Then it is refused with 422 INVALID_PARAMS
    And the answer names "slots"
    And the engine of pool "chat" is still the same

  Scenario: A changed pools file reloads the changed pool and no other
    Given a node of its own
    And the pool "chat" is ready
    And the pool "code" is ready
    And the engine of pool "chat" is noted
    And the engine of pool "code" is noted
    When the pool "chat" of the pools file gets
      | slots | 3 |
    Then the pool "chat" comes to show
      | ready       | true |
      | slots_total | 3    |
    And the engine of pool "chat" is another one
    And the engine of pool "code" is still the same
