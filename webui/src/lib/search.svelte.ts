/** What is being searched for. Kept here rather than in the address, since people's names are typed into it. */
class Question {
  text = $state('');
}

export const question = new Question();
