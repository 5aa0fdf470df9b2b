@concurrent
Feature: Crash detection

  @ORCH-3010
  Scenario: A killed engine is seen at once, told with its signal, and started again
    Given a node
    And the pool "chat" is ready
    And the engine of pool "chat" is noted
    When the engine of pool "chat" is killed
    Then the pool "chat" leaves ready within 1000 ms
    And the pool "chat" becomes ready
    And the engine of pool "chat" is another one
    And the last error of pool "chat" is engine_exited
    And the reason of pool "chat" says "SIGKILL"
    And the pool "chat" shows
      | restarts | 1 |

  Scenario: Of an engine that crashed, the last words stay to be read
    Given a node
    And the pool "chat" is ready
    When the engine of pool "chat" is killed
    And the pool "chat" comes to show
      | restarts | 1 |
    And the pool "chat" becomes ready
    Then the previous log of pool "chat" has "model loaded"

  @ORCH-3038 @OC-POOL-3010
  Scenario: A CUDA error in its last words is what it failed of
    Given a node
    And the pool "chat" whose engine fails its load with a CUDA error
    Then the pool "chat" becomes offline.backingOff because of cuda_error
    And the reason of pool "chat" says "illegal memory access"

  Scenario: Exit code 0 is an end and no crash
    Given a node
    And the pool "chat" is ready, whose engine ends by itself with exit code 0
    Then the pool "chat" becomes offline.stopped because of engine_completed
    And the pool "chat" shows
      | restarts | 0 |

  @fault-44 @ORCH-3016
  Scenario: An engine that is healthy and does not get on fails its probes
    Given a node
    And the pool "chat" is ready, whose engine hangs on its slots after a while
    Then the pool "chat" becomes draining because of its health
    And the pool "chat" shows
      | ready | false |

  @fault-2 @fault-3
  Scenario: Restarts are still counted after the daemon was killed, and its engines never noticed
    Given a node of its own
    And the pool "chat" is ready
    When the engine of pool "chat" is killed
    And the pool "chat" comes to show
      | restarts | 1 |
    And the pool "chat" becomes ready
    Given the engine of pool "chat" is noted
    When the daemon is killed
    And the daemon starts
    Then the pool "chat" becomes ready
    And the pool "chat" shows
      | restarts | 1 |
    And the engine of pool "chat" is still the same

  @clock @fault-45
  Scenario: Three failed probes in a row take a pool out, and two good ones bring it back
    Given a pool on a clock
    When it becomes ready
    And 2 probes in a row fail
    Then it stands at ready.suspect
    When 1 probe in a row passes
    Then it stands at ready.healthy
    When 3 probes in a row fail
    Then it stands at draining.emptying.recovering
    When 2 probes in a row pass
    Then it stands at ready.healthy
    And it shows 0 restarts
    And nothing of it was against the rules, and its journal tells the same story
