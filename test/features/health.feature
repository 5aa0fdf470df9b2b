@concurrent
Feature: Health
  Whether the process is alive is one question, whether the node can serve another.

  Scenario: A node without pools is alive and ready
    Given a node of its own
    When the daemon starts
    And somebody asks for "/health"
    Then the answer is 200
    And the answer has
      | status | ok |
    And the answer comes from version "" of the package
    When somebody asks for "/ready"
    Then the answer is 200

  @OC-POOL-3003 @ORCH-3010
  Scenario: A node whose only pool loads is alive, not ready, and says why
    Given a node of its own
    And the pool "chat" whose engine is never healthy
    When somebody asks for "/health"
    Then the answer is 200
    When somebody asks for "/ready"
    Then it is refused with 503 POOL_UNAVAILABLE
    And the answer names "no pool is ready"
    And the answer says when to try again

  Scenario: It is ready once a pool is
    Given a node of its own
    And the pool "chat" is ready
    When somebody asks for "/ready"
    Then the answer is 200
