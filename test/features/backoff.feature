@clock
Feature: Backoff
  An engine that does not come up is tried again, each time later.

  @OC-POOL-3011 @ORCH-3038 @fault-24
  Scenario: The wait doubles to a minute, and each is moved a little
    Given a pool on a clock
    Then its waits between 7 starts are "1, 2, 4, 8, 16, 32, 60" seconds, each moved by a quarter at most
    And it shows 7 restarts
    And nothing of it was against the rules, and its journal tells the same story

  Scenario: A wait is a wait, to the millisecond
    Given a pool on a clock
    When its engine fails to start 1 time
    Then its wait does not end a millisecond early

  @ORCH-3038 @OC-POOL-3010
  Scenario: After a CUDA error it waits twice as long
    Given a pool on a clock
    When its engine fails to start with cuda_error
    Then it shows the reason cuda_error
    And it waits 2 seconds, moved by a quarter at most

  Scenario: Five minutes of service forget all failures but not their number
    Given a pool on a clock
    When its engine fails to start 4 times
    And its wait is over
    And it becomes ready and stays so for 300 seconds
    And its engine ends with engine_exited
    Then it waits 1 second, moved by a quarter at most
    And it shows 5 restarts

  Scenario: Less than that forgets nothing
    Given a pool on a clock
    When its engine fails to start 2 times
    And its wait is over
    And it becomes ready and stays so for 299 seconds
    And its engine ends with engine_exited
    Then it waits 4 seconds, moved by a quarter at most
