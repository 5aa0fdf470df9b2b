@clock
Feature: Restart storms
  Many restarts on one node within a minute are something for a person to look at.

  @OC-POOL-3011
  Scenario: Half of a storm is warned of, a storm is called so, and it passes
    Given a node on a clock with the pools "chat" and "code"
    When pool "chat" is restarted 4 times
    Then the node is calm about restarts
    When pool "chat" is restarted 1 time
    Then the node is gathering about restarts
    When pool "chat" is restarted 5 times
    Then the node is storming about restarts
    When 60 seconds pass
    Then the node is calm about restarts

  Scenario: Restarts that come slowly are none
    Given a node on a clock with the pools "chat" and "code"
    When pool "chat" is restarted 4 times
    And 60 seconds pass
    And pool "chat" is restarted 4 times
    Then the node is calm about restarts

  Scenario: Other pools hear nothing of it
    Given a node on a clock with the pools "chat" and "code"
    When pool "chat" is restarted 10 times
    Then the node is storming about restarts
    And pool "code" has been told nothing
